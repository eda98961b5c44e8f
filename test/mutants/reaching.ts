/** The tests that reach a file of the project, by its folder. */

/** Each row: a pattern of paths, and stages of test folders and files, the nearest first. A path takes the first row that it matches. */
const rows: [RegExp, string[][]][] = [
  [/^app\/client\/(page|icons)\//, [['test/client'], ['test/stack']]],
  [
    /^app\/client\//,
    [['test/client'], ['test/stack/library', 'test/stack/browsers', 'test/stack/call', 'test/stack/page']],
  ],
  [
    /^app\/rooms\//,
    [['test/rooms'], ['test/signaling', 'test/recorded', 'test/store', 'test/process', 'test/conform']],
  ],
  [/^app\/protocol\//, [['test/protocol'], ['test/signaling', 'test/client', 'test/listener', 'test/rooms']]],
  [
    /^app\/signaling\//,
    [['test/signaling'], ['test/listener', 'test/process', 'test/store', 'test/web', 'test/siege']],
  ],
  [/^app\/auth\//, [['test/auth'], ['test/signaling', 'test/config', 'test/cli', 'test/process']]],
  [/^app\/budgets\//, [['test/budgets'], ['test/signaling', 'test/rooms', 'test/listener', 'test/siege']]],
  [
    /^app\/config\//,
    [['test/config'], ['test/cli', 'test/process', 'test/nginx/command', 'test/web', 'test/signaling']],
  ],
  [/^app\/store\//, [['test/store'], ['test/signaling', 'test/recorded', 'test/process', 'test/chaos']]],
  [/^app\/listener\//, [['test/listener'], ['test/signaling', 'test/web', 'test/nginx', 'test/process']]],
  [/^app\/process\//, [['test/process'], ['test/cli', 'test/stats', 'test/chaos', 'test/nginx', 'test/doctor']]],
  [
    /^(app\/)?nginx\//,
    [
      ['test/nginx'],
      ['test/deploy', 'test/doctor'],
      ['test/stack/compose', 'test/stack/subpath', 'test/stack/one-by-one'],
    ],
  ],
  [/^app\/doctor\//, [['test/doctor']]],
  [/^app\/conform\//, [['test/conform', 'test/signaling']]],
  [
    /^app\/(cli|commands)/,
    [['test/cli', 'test/nginx/command', 'test/process/control', 'test/conform', 'test/doctor/command', 'test/config']],
  ],
  [/^app\/web\//, [['test/web'], ['test/nginx', 'test/listener', 'test/signaling'], ['test/stack']]],
  [/^app\/stats\//, [['test/stats'], ['test/process', 'test/listener', 'test/signaling']]],
  [/^app\/logging\//, [['test/logging'], ['test/process', 'test/cli', 'test/listener']]],
  [
    /^(deploy\/|docker-compose|\.env|Dockerfile)/,
    [['test/deploy', 'test/docs', 'test/readmes'], ['test/process', 'test/nginx/config'], ['test/stack']],
  ],
];

/** → stages of tests; every test for a path that no row knows */
export const reaching = (path: string): string[][] => rows.find(([pattern]) => pattern.test(path))?.[1] ?? [[]];
