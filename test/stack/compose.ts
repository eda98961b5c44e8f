/** Starts the shipped docker-compose.yml, as a project of its own, with an image built from this checkout. */

import { execFile } from 'node:child_process';
import { BlockList } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DockerComposeEnvironment, type StartedTestContainer, Wait } from 'testcontainers';
import { freePort } from '../setup/free-port.ts';

export type Stack = {
  /** http://127.0.0.1:port, without a trailing slash; unchanged when nginx is restarted. */
  url: string;
  /** The project's name: the app's container is `${project}-app-1`, the network `${project}_default`. */
  project: string;
  /** The container of a service. After the service was recreated it is the old one: use `compose` then. */
  container(service: 'nginx' | 'app' | 'turn'): StartedTestContainer;
  /** `docker compose …` for this project; → its output. */
  compose(...words: string[]): Promise<string>;
  /** Runs a shell script in the checkout, with `docker compose` for this project. */
  script(text: string): Promise<string>;
  /** Like `compose`, with other variables. */
  composeWith(variables: Record<string, string>): Stack['compose'];
  /** Stops everything and removes it, volumes too. */
  down(): Promise<void>;
};

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
let count = 0;

/**
 * Resolves when all services are healthy.
 * @param files further compose files, from the top of the checkout: 'deploy/compose.unix.yml'
 * @param environment variables for the compose files
 */
export const startStack = async (
  options: { files?: string[]; environment?: Record<string, string> } = {},
): Promise<Stack> => {
  const files = ['docker-compose.yml', ...(options.files ?? [])];
  const project = `genkan-test-${process.pid}-${++count}`;
  // A port chosen here and not by Docker, which would choose another one when nginx is restarted.
  const port = await freePort();
  const environment = {
    GENKAN_PORT: `127.0.0.1:${port}`,
    GENKAN_SUBNET: await freeSubnet(),
    ...options.environment,
  };
  const started = await new DockerComposeEnvironment(root, files)
    .withProjectName(project)
    .withEnvironment(environment)
    .withBuild()
    .withDefaultWaitStrategy(Wait.forHealthCheck())
    .withStartupTimeout(60_000)
    .up();
  const composeWith =
    (variables: Record<string, string>) =>
    async (...words: string[]) => {
      const given = ['compose', '-p', project, ...files.flatMap((file) => ['-f', join(root, file)]), ...words];
      return (await run('docker', given, { cwd: root, env: { ...process.env, ...environment, ...variables } })).stdout;
    };
  return {
    url: `http://127.0.0.1:${port}`,
    project,
    container: (service) => started.getContainer(`${service}-1`),
    compose: composeWith({}),
    script: async (text) => {
      const own = { COMPOSE_PROJECT_NAME: project, COMPOSE_FILE: files.map((file) => join(root, file)).join(':') };
      const env = { ...process.env, ...environment, ...own };
      return (await run('bash', ['-c', `set -eux\n${text}`], { cwd: root, env, maxBuffer: 1e7 })).stdout;
    },
    composeWith,
    down: async () => {
      await started.down({ removeVolumes: true });
    },
  };
};

/** A network of 16 addresses that no other Docker network uses. */
export const freeSubnet = async (): Promise<string> => {
  const { stdout: ids } = await run('docker', ['network', 'ls', '-q']);
  const format = '{{range .IPAM.Config}}{{.Subnet}} {{end}}';
  const { stdout } = await run('docker', ['network', 'inspect', '-f', format, ...ids.split('\n').filter(Boolean)]);
  const taken = new BlockList();
  for (const subnet of stdout.split(/\s+/)) {
    const [address = '', bits] = subnet.split('/');
    if (address.includes('.')) taken.addSubnet(address, Number(bits), 'ipv4');
  }
  for (;;) {
    const block = Math.floor(Math.random() * 4096);
    const address = `10.214.${block >> 4}.${(block & 15) * 16}`;
    if (!taken.check(address)) return `${address}/28`;
  }
};
