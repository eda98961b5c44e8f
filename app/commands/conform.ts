/** `genkan conform URL`: whether a server keeps the guarantees of the protocol. */
import { parseArgs } from 'node:util';
import type { Result } from '../config/result.ts';
import { suggest } from '../config/suggest.ts';
import { RefusedError } from '../conform/inbox.ts';
import { report } from '../conform/report.ts';
import { type ConformSite, runCases } from '../conform/runner.ts';
import { guarantees } from '../conform/spec.ts';
import type { CommandResult } from './command-result.ts';

type ConformArguments = ConformSite & { quick: number | undefined; json: boolean; insecure: boolean };

/** ms between the starts of two cases: each joins two or three times, at most as often as a server accepts by default. */
const pace = 250;

/** The report with exit code 0 (all kept) or 1 (something broken); or why there is none: 1 could not join, 2 bad arguments. */
export const conform = async (words: string[]): Promise<CommandResult> => {
  const parsed = parseWords(words);
  if ('faults' in parsed) return { faults: parsed.faults.map((fault) => `conform: ${fault}`) };
  const { quick, json, insecure, ...site } = parsed;
  // Node's fetch has no other option for this.
  if (insecure) process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  try {
    const results = await runCases(site, { quick, pace });
    const titles = guarantees.map(({ title }) => title);
    const text = json
      ? JSON.stringify({ url: site.base, guarantees: titles, cases: results }, null, 2)
      : report(site.base, results);
    return { text, code: results.some(({ verdict }) => verdict === 'broken') ? 1 : 0 };
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
    const isToken = error instanceof RefusedError && error.code.startsWith('token-');
    const hint = isToken ? "; a token is made by: genkan token --room 'conform-*' …, for --token" : '';
    return { faults: [`conform: could not test ${site.base}: ${why}${hint}`], code: isToken ? 2 : 1 };
  }
};

const parseWords = (words: string[]): Result<ConformArguments> => {
  try {
    const { values, positionals } = parseArgs({ args: words, allowPositionals: true, options });
    const [url, ...more] = positionals;
    const { token, 'token-host': hostToken, quick, json = false, insecure = false } = values;
    if (url === undefined || more.length > 0)
      return { faults: ['no server specified; pass one URL, such as https://meet.example'] };
    if (!/^https?:\/\/[^?#]+$/.test(url) || !URL.canParse(url))
      return {
        faults: [
          `${url}: must be the URL of the start page, such as https://meet.example or https://example.org/meet/`,
        ],
      };
    if (quick !== undefined && !/^\d+$/.test(quick))
      return { faults: [`--quick ${quick}: must be a number of seconds`] };
    const base = url.replace(/\/+$/, '');
    return { base, token, hostToken, quick: quick === undefined ? undefined : Number(quick) * 1000, json, insecure };
  } catch (error) {
    return { faults: [describeError(error)] };
  }
};

/** The message of parseArgs; for an unknown option, with the nearest one in place of its advice about positional arguments. */
const describeError = (error: unknown): string => {
  const { message } = error instanceof Error ? error : new Error(String(error));
  const [, unknown] = /^Unknown option '-+([^']+)'/.exec(message) ?? [];
  if (unknown === undefined) return message;
  const nearest = suggest(unknown, Object.keys(options));
  return `--${unknown}: there is no such option${nearest ? `; did you mean --${nearest}?` : ''}`;
};

const options = {
  token: { type: 'string' },
  'token-host': { type: 'string' },
  quick: { type: 'string' },
  json: { type: 'boolean' },
  insecure: { type: 'boolean' },
} as const;
