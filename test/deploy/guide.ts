/** The command blocks of deploy/README.md, each with what its comment says of how it is tested. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** `run`: in that place, in the order of the page. `start`: in the background, until a command ends well. */
export type Block =
  | { kind: 'run'; place: string; script: string }
  | { kind: 'start'; place: string; until: string; script: string }
  | { kind: 'not run'; why: string; script: string };

export const guide = readFileSync(join(import.meta.dirname, '../../deploy/README.md'), 'utf8');

/** @throws for a block without a comment before it */
export const blocks: Block[] = [...guide.matchAll(/^(?:<!-- (.+) -->\n)?```sh\n([\s\S]*?)```$/gm)].map(
  ([, words = '', script = '']) => {
    const [, kind, rest = ''] = /^(run|start|not run): (.+)$/.exec(words) ?? [];
    const [place = '', until = ''] = rest.split(', until: ');
    if (kind === 'run') return { kind, place, script };
    if (kind === 'start' && until) return { kind, place, until, script };
    if (kind === 'not run') return { kind, why: rest, script };
    throw new Error(`deploy/README.md: say before this block how it is tested: ${script}`);
  },
);

/** Those of nginx/README.md, which are all for a server with genkan and nginx. */
export const nginxScripts: string[] = [
  ...readFileSync(join(import.meta.dirname, '../../nginx/README.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)```$/gm),
].map(([, script = '']) => script);

export const scriptsOf = (place: string): string[] =>
  blocks.flatMap((block) => (block.kind === 'run' && block.place === place ? [block.script] : []));
