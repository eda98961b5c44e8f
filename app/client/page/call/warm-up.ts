/** A page's first connection costs more than later ones: the browser starts threads, looks up codecs and generates keys. */

/** Pays that cost while the user is in the lobby, without network traffic. @throws where there is no WebRTC */
export const warmUp = async (): Promise<void> => {
  const connection = new RTCPeerConnection();
  for (const kind of ['audio', 'video']) connection.addTransceiver(kind);
  await connection.createOffer().catch(() => {});
  connection.close();
};
