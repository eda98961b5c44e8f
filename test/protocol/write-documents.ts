/** `npm run schemas`: writes the documents for authors of clients again, from the schemas. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documents } from '../../app/protocol/documents.ts';

const directory = join(import.meta.dirname, '../../app/protocol');
const source = ['messages.ts', 'http-answers.ts'].map((name) => readFileSync(join(directory, name), 'utf8')).join('\n');
for (const [name, text] of Object.entries(documents(source))) writeFileSync(join(directory, name), text);
