/** The command blocks of the pages for administrators, each with what its comment says about how it is tested. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** `run`: in that place, in the order of the pages. `start`: in the background, until a command succeeds. */
export type Block =
  | { kind: 'run'; place: string; script: string }
  | { kind: 'start'; place: string; until: string; script: string }
  | { kind: 'not run'; why: string; script: string };

const root = join(import.meta.dirname, '../..');

/** Below deploy/, in the order in which their commands run: the page that removes everything is the last. */
export const pages = [
  ...['README', 'docs/compose', 'docs/systemd', 'docs/nginx-by-hand', 'docs/standalone', 'docs/front-ends'],
  ...['docs/certificates', 'docs/access', 'docs/doctor', 'docs/turn', 'docs/valkey', 'docs/several-hosts'],
  ...['docs/operate', 'docs/backup', 'docs/monitoring', 'docs/capacity', 'docs/uwsgi', 'docs/upgrade'],
].map((name) => `deploy/${name}.md`);

/** @throws for a block without a comment before it */
const blocksOf = (page: string): Block[] =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^( *)(?:<!-- (.+) -->\n\1)?```sh\n([\s\S]*?)^\1```$/gm)].map(
    ([, , words = '', script = '']) => {
      const [, kind, rest = ''] = /^(run|start|not run): (.+)$/.exec(words) ?? [];
      const [place = '', until = ''] = rest.split(', until: ');
      if (kind === 'run') return { kind, place, script };
      if (kind === 'start' && until) return { kind, place, until, script };
      if (kind === 'not run') return { kind, why: rest, script };
      throw new Error(`${page}: a comment before this block must say how it is tested: ${script}`);
    },
  );

export const blocks: Block[] = pages.flatMap(blocksOf);

/** The blocks of nginx/README.md, all for a server with genkan and nginx. */
export const nginxScripts: string[] = [
  ...readFileSync(join(root, 'nginx/README.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)```$/gm),
].map(([, script = '']) => script);

export const scriptsOf = (place: string): string[] =>
  blocks.flatMap((block) => (block.kind === 'run' && block.place === place ? [block.script] : []));
