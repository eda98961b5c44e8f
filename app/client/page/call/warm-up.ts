/** The first connection of a page costs more than those after it: the browser starts threads, looks for codecs, makes keys. */

/** Has the browser do that while somebody is in the lobby. Nothing is sent, or asked of the network. @throws where there is no WebRTC */
export const warmUp = async (): Promise<void> => {
  const connection = new RTCPeerConnection();
  for (const kind of ['audio', 'video']) connection.addTransceiver(kind);
  await connection.createOffer().catch(() => {});
  connection.close();
};
