/** Whether the largest requests that the app accepts reach it. */
import { type Check, found, ok, skipped } from '../finding.ts';
import { ask, codeOf } from '../target.ts';

/** By the app's defaults: the largest message, and a body just below the limit. */
const sizes = [65_536, 1_048_576 - 1024];

export const bodyLimit: Check = {
  name: 'body',
  needs: ['genkan'],
  async run(site) {
    const passed: number[] = [];
    for (const size of sizes) {
      const message = JSON.stringify({ type: 'chat', n: 1, text: '' });
      const padded = message.replace('""', `"${'x'.repeat(size - message.length)}"`);
      // Without a session the app discards the message, but only after reading all of it.
      const answer = await ask(site, `rooms/${site.rooms[0]}/messages`, { method: 'POST', body: padded });
      const code = codeOf(answer);
      if (answer.status === 413 && code !== undefined) return [ok(`the app itself accepts less than ${size} bytes`)];
      if (answer.status === 413) return [found('body-limit', `a request of ${size} bytes does not reach the app: 413`)];
      if (code === undefined) return [skipped(`the response to a message is not from the app: ${answer.status}`)];
      passed.push(size);
    }
    return [ok(`requests of ${passed.join(' and ')} bytes reach the app`)];
  },
};
