/** The tests that reach a file of the project, by its folder. */

/** Test folders and files: the nearest, which catch most, and then more, in stages. */
export type Reaching = { near: string[]; far: string[][] };

/** A path takes the first row whose pattern it matches. */
const rows: [RegExp, string[], ...string[][]][] = [
  [/^app\/client\/(page|icons)\//, ['test/client'], ['test/stack']],
  [
    /^app\/client\//,
    ['test/client'],
    ['test/stack/library', 'test/stack/browsers', 'test/stack/page', 'test/stack/hosts'],
  ],
  [/^app\/rooms\//, ['test/rooms'], ['test/signaling', 'test/recorded', 'test/store', 'test/process']],
  [/^app\/protocol\//, ['test/protocol'], ['test/signaling', 'test/client', 'test/listener', 'test/rooms']],
  [/^app\/signaling\//, ['test/signaling'], ['test/listener', 'test/process', 'test/store', 'test/web', 'test/siege']],
  [/^app\/auth\//, ['test/auth'], ['test/signaling', 'test/config', 'test/cli', 'test/process']],
  [/^app\/budgets\//, ['test/budgets'], ['test/signaling', 'test/rooms', 'test/listener', 'test/siege']],
  [/^app\/config\//, ['test/config'], ['test/cli', 'test/process', 'test/nginx/command', 'test/web', 'test/signaling']],
  [/^app\/store\//, ['test/store'], ['test/signaling', 'test/recorded', 'test/process', 'test/chaos']],
  [/^app\/listener\//, ['test/listener'], ['test/signaling', 'test/web', 'test/nginx', 'test/process']],
  [/^app\/process\//, ['test/process'], ['test/cli', 'test/stats', 'test/chaos', 'test/nginx', 'test/doctor']],
  [/^(app\/)?nginx\//, ['test/nginx'], ['test/deploy', 'test/doctor', 'test/stack/compose', 'test/stack/subpath']],
  [/^app\/doctor\//, ['test/doctor'], ['test/cli']],
  [/^app\/conform\//, ['test/conform'], ['test/signaling']],
  [/^app\/(cli|commands)/, ['test/cli', 'test/config'], ['test/nginx/command', 'test/process/control', 'test/conform']],
  [
    /^app\/web\//,
    ['test/web'],
    ['test/nginx', 'test/listener', 'test/signaling', 'test/stack/upgrade', 'test/stack/page'],
  ],
  [/^app\/stats\//, ['test/stats'], ['test/process', 'test/listener', 'test/signaling']],
  [/^app\/logging\//, ['test/logging'], ['test/process', 'test/cli', 'test/listener']],
  [/^(deploy\/|docker-compose)/, ['test/deploy'], ['test/process', 'test/nginx/config', 'test/docs', 'test/stack']],
];

/** → every test for a path that no row knows */
export const reaching = (path: string): Reaching => {
  const [, near = [], ...far] = rows.find(([pattern]) => pattern.test(path)) ?? [/^/, ['test', 'test/stack']];
  return { near, far };
};
