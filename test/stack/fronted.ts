/** The app in this process behind a real nginx with the shipped configuration, by uwsgi on a unix socket. */
import { join } from 'node:path';
import { startNginx } from '../nginx/nginx.ts';
import { type Site, startSite } from '../signaling/site.ts';

export type Fronted = { url: string; site: Site; stop(): Promise<void> };

/** @param settings further flags of the app */
export const startFronted = async (settings: string[] = []): Promise<Fronted> => {
  const site = await startSite(settings);
  const publicDir = join(import.meta.dirname, '../../dist/public');
  const nginx = await startNginx({ app: { kind: 'uwsgi', address: site.addresses.unix }, publicDir });
  return {
    url: nginx.url,
    site,
    async stop() {
      await nginx.stop();
      await site.stop();
    },
  };
};
