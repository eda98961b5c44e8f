/** Whether it is Genkan that answers, and not something else, or nobody, behind the name. */
import { type Seen, seen } from '../../protocol/messages.ts';
import { type Check, type Finding, found, ok } from '../finding.ts';
import { type Answer, ask, codeOf, jsonOf, type Question, type Site } from '../target.ts';

/** How the app sees a request. */
export const fetchRequestEcho = async (
  site: Site,
  question?: Question,
): Promise<{ answer: Answer; seen: Seen | undefined }> => {
  const answer = await ask(site, `rooms/${site.rooms[0]}/seen`, question);
  return { answer, seen: seen.safeParse(jsonOf(answer)).data };
};

export const appIdentity: Check = {
  name: 'genkan',
  needs: ['certificate'],
  async run(site) {
    const { answer, seen } = await fetchRequestEcho(site);
    if (seen) return [ok(`it is Genkan, ${seen.protocol}, ${ways[seen.by]}`)];
    return [whatElse(answer)];
  },
};

const ways = {
  http: 'by --http, without a front end',
  'http-socket': 'behind a front end by HTTP',
  socket: 'behind a front end by uwsgi',
} as const;

const whatElse = (answer: Answer): Finding => {
  const { status, headers, url, body } = answer;
  const code = codeOf(answer);
  const said = `${url.pathname} is answered ${status}${headers.server === undefined ? '' : ` by ${headers.server}`}`;
  if (code === 'not-found') return found('path-wrong', `${said}; the app says: ${messageOf(body)}`);
  if (status === 421) return found('host-refused', `${said}: not the server for ${url.host}`);
  if (status === 429) return found('too-many', said);
  if (status === 503 && /closed for maintenance/.test(body)) return found('site-closed', said);
  if (status >= 502 && status <= 504) return found('app-down', said);
  return found('not-genkan', `${said}${headers.location === undefined ? '' : ` to ${headers.location}`}`);
};

const messageOf = (body: string): string => {
  const json = jsonOf({ body });
  return typeof json === 'object' && json !== null && 'message' in json ? String(json.message) : body;
};
