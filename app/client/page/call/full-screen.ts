/** Full screen, and a picture that floats over other windows. */

export const canFillScreen = (): boolean => document.fullscreenEnabled === true;

export const toggleFullScreen = async (): Promise<void> => {
  if (!canFillScreen()) return;
  const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  await change.catch(() => {});
};

export const canFloat = (): boolean => document.pictureInPictureEnabled === true;

/** Floats the picture that is shown large, or else the first of another person; ends that if one floats. */
export const toggleFloating = async (): Promise<void> => {
  if (document.pictureInPictureElement) return document.exitPictureInPicture();
  const video = document.querySelector<HTMLVideoElement>('.tile.main video, [data-peer] video');
  await video?.requestPictureInPicture().catch(() => {});
};
