/** Whether Genkan answers under this name, and not another service or nothing. */
import { type Seen, seen } from '../../protocol/http-answers.ts';
import { type Check, type Finding, found, ok } from '../finding.ts';
import { ask, codeOf, jsonOf, type Question, type Site, type SiteResponse } from '../target.ts';

/** A request as the app sees it; `seen` is undefined if the response is not from the app. */
export const fetchRequestEcho = async (
  site: Site,
  question?: Question,
): Promise<{ answer: SiteResponse; seen: Seen | undefined }> => {
  const answer = await ask(site, `rooms/${site.rooms[0]}/seen`, question);
  return { answer, seen: seen.safeParse(jsonOf(answer)).data };
};

export const appIdentity: Check = {
  name: 'genkan',
  needs: ['certificate'],
  async run(site) {
    const { answer, seen } = await fetchRequestEcho(site);
    if (seen) return [ok(`it is Genkan, ${seen.protocol}, ${listeners[seen.by]}`)];
    return [explainFailure(answer)];
  },
};

const listeners = {
  http: 'by --http, without a front end',
  'http-socket': 'behind a front end by HTTP',
  socket: 'behind a front end by uwsgi',
} as const;

const explainFailure = (answer: SiteResponse): Finding => {
  const { status, headers, url, body } = answer;
  const code = codeOf(answer);
  const outcome = `${url.pathname} returned ${status}${headers.server === undefined ? '' : ` from ${headers.server}`}`;
  if (code === 'not-found') return found('path-wrong', `${outcome}; message of the app: ${messageOf(body)}`);
  if (status === 421) return found('host-refused', `${outcome}: not the server for ${url.host}`);
  if (status === 429) return found('too-many', outcome);
  if (status === 503 && /closed for maintenance/.test(body)) return found('site-closed', outcome);
  if (status >= 502 && status <= 504) return found('app-down', outcome);
  return found(
    'not-genkan',
    `${outcome}${headers.location === undefined ? '' : `, redirecting to ${headers.location}`}`,
  );
};

const messageOf = (body: string): string => {
  const json = jsonOf({ body });
  return typeof json === 'object' && json !== null && 'message' in json ? String(json.message) : body;
};
