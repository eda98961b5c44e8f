/** Full screen and picture-in-picture. */

export const canFillScreen = (): boolean => document.fullscreenEnabled === true;

export const toggleFullScreen = async (): Promise<void> => {
  if (!canFillScreen()) return;
  const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  await change.catch(() => {});
};

export const canFloat = (): boolean => document.pictureInPictureEnabled === true;

/** Opens picture-in-picture for the large tile, or else the first peer; closes it if open. */
export const toggleFloating = async (): Promise<void> => {
  const video = (tile: string) => document.querySelector<HTMLVideoElement>(`${tile} video`);
  const change = document.pictureInPictureElement
    ? document.exitPictureInPicture()
    : // Two queries: the large tile is first on the screen, but not in the document.
      (video('.tile.main') ?? video('[data-peer]'))?.requestPictureInPicture();
  await change?.catch(() => {});
};
