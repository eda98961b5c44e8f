/** The browser family, for instructions that name its menus; never for feature detection. */
export type Browser = 'chrome' | 'firefox' | 'safari' | 'other';

export const browserOf = (agent: string): Browser => {
  if (/Firefox\/|FxiOS\//.test(agent)) return 'firefox';
  if (/Chrom(e|ium)\/|CriOS\/|Edg/.test(agent)) return 'chrome';
  return /Safari\//.test(agent) ? 'safari' : 'other';
};
