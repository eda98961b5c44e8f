/** Which family of browsers this is, for the words that lead through its menus; never for what it can do. */
export type Browser = 'chrome' | 'firefox' | 'safari' | 'other';

export const browserOf = (agent: string): Browser => {
  if (/Firefox\/|FxiOS\//.test(agent)) return 'firefox';
  if (/Chrom(e|ium)\/|CriOS\/|Edg/.test(agent)) return 'chrome';
  return /Safari\//.test(agent) ? 'safari' : 'other';
};
