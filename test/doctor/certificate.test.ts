/** Certificates with one fault each, served by a real nginx. */
import { appendFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificate } from '../../app/doctor/checks/certificate.ts';
import type { FaultName } from '../../app/doctor/faults.ts';
import { startNginx } from '../nginx/nginx.ts';
import { without } from '../setup/without.ts';
import { type Files, pemOf } from './certificates.ts';
import { type Clinic, diagnose, openClinic, patient, publicDir, tlsWords } from './clinic.ts';

const missing = without('nginx');
let clinic: Clinic;
beforeAll(async () => {
  clinic = await openClinic();
});
afterAll(() => clinic.stop());

const days = (count: number) => new Date(Date.now() + count * 86_400_000);

/** TLS with one fault: the certificate that nginx serves, and the options of the doctor. */
const certificates: { finds: FaultName[]; what: string; files(): Files; options?: string[]; isKnown?: boolean }[] = [
  { finds: ['certificate-expired'], what: 'it has expired', files: () => clinic.authority.issue({ to: days(-1) }) },
  { finds: ['certificate-ends-soon'], what: 'it expires soon', files: () => clinic.authority.issue({ to: days(3) }) },
  {
    finds: ['certificate-not-yet-valid'],
    what: 'it is not valid yet',
    files: () => clinic.authority.issue({ from: days(1) }),
  },
  {
    finds: ['certificate-name'],
    what: 'it is for another name',
    files: () => clinic.authority.issue({ name: 'other.example' }),
  },
  { finds: ['certificate-self-signed'], what: 'it is self-signed', files: () => clinic.authority.selfSigned() },
  {
    finds: ['certificate-untrusted'],
    what: 'the authority in its chain is not trusted',
    files: () => withRoot(clinic.authority.issue()),
    isKnown: false,
  },
  { finds: ['certificate-chain'], what: 'its chain is incomplete', files: () => clinic.authority.issueWithoutChain() },
  {
    finds: ['certificate-expired', 'token-kept'],
    what: 'it has expired, and there is a token',
    files: () => clinic.authority.issue({ to: days(-1) }),
    options: ['--token', 'a.b.c'],
  },
];

/** With the certificate of the authority appended. */
const withRoot = ({ chain, key }: Files): Files => {
  appendFileSync(chain, pemOf(clinic.authority.file));
  return { chain, key };
};

describe.skipIf(missing)('a certificate', () => {
  test.concurrent.for(certificates)('$what → $finds', async ({ finds, files, ...row }, { expect: here }) => {
    const { names, text } = await clinic.examineBehind({ by: 'uwsgi', tls: true, files: files(), ...row });
    here(names, text).toEqual(finds);
  });

  test('of an unknown issuer → certificate-chain', async () => {
    const nginx = await startNginx({
      app: { kind: 'uwsgi', address: clinic.site.addresses.socket },
      words: tlsWords(clinic.authority.issue()),
      publicDir,
    });
    const { names, text } = await diagnose(patient(`https://localhost:${nginx.port}/`));
    await nginx.stop();
    expect(names, text).toEqual(['certificate-chain']);
  });

  test('is missing where browsers require https', async () => {
    const asked = patient('http://meet.example/', '--token', 'a.b.c');
    const names = (await certificate.run(asked)).flatMap((one) => ('name' in one ? [one.name] : []));
    expect(names).toEqual(['no-tls', 'token-kept']);
  });
});
