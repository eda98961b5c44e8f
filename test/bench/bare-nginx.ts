/** Baselines for the files of `genkan nginx`: nginx's own example of a static site, and those files without what they add to a request. */
import type { Front } from '../nginx/nginx.ts';

/** Static files only. */
export const bareRoot = (root: string): Omit<Front, 'app'> => ({
  words: ['--mode', 'location', '--base', '/none/'],
  sites: (port) => `server { listen 127.0.0.1:${port}; location / { root ${root}; } }`,
  spoil: (path, text) => {
    if (path === 'nginx.conf') return text.replace('access_log off;', 'access_log off;\n    sendfile on;');
    return path === 'conf.d/example.conf' ? text : '';
  },
});

/** One of our files without headers, limits and log. */
export const stripped = (path: string, text: string): string => {
  if (path === 'snippets/genkan-headers.conf') return '';
  const unlimited = text.replace(/^ *limit_(?:req|conn)(?:_status)? .*;\n/gm, '');
  if (path === 'snippets/genkan-app.conf' && unlimited === text) throw new Error(`${path} has no limits to take away`);
  return unlimited.replace(/^( *)access_log .*;$/gm, '$1access_log off;');
};
