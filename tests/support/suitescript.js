// Runs a SuiteScript under node: what NetSuite would hand to it, made of node's own parts. Reads a job from standard input,
// and writes what the script posted and logged. A date is {"date": [year, month, day, hours, ...]} in the zone of the process.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const vm = require('node:vm');

const [script] = process.argv.slice(2);
const job = JSON.parse(fs.readFileSync(0, 'utf8'));
const posted = [];
const logged = [];

const only = (given, ...expected) => {
  if (!expected.includes(given)) throw new Error(`${given} is none of ${expected}`);
};

const revived = (value) => {
  if (value === null || typeof value !== 'object' || !value.date) return value;
  const [year, month, ...rest] = value.date;
  return new Date(year, month - 1, ...rest);
};

const recordOf = (given) =>
  given && {
    type: given.type,
    id: given.id,
    getValue: ({ fieldId }) => (fieldId in given.values ? revived(given.values[fieldId]) : ''),
    getText: ({ fieldId }) => given.texts[fieldId] ?? '',
  };

const modules = {
  'N/crypto': {
    HashAlg: { SHA256: 'SHA256' },
    createSecretKey: ({ secret, encoding }) => {
      only(encoding, 'UTF_8');
      return Buffer.from(job.secrets[secret], 'utf8');
    },
    createHmac: ({ algorithm, key }) => {
      only(algorithm, 'SHA256');
      const hmac = crypto.createHmac('sha256', key);
      return {
        update: ({ input, inputEncoding }) => {
          only(inputEncoding, 'UTF_8');
          hmac.update(input, 'utf8');
        },
        digest: ({ outputEncoding }) => {
          only(outputEncoding, 'HEX');
          return hmac.digest('hex').toUpperCase();
        },
      };
    },
  },
  'N/encode': { Encoding: { UTF_8: 'UTF_8', HEX: 'HEX' } },
  'N/https': {
    post: (call) => {
      posted.push(call);
      const code = job.codes.shift() ?? 200;
      if (code === 0) throw new Error('SSS_REQUEST_TIME_EXCEEDED');
      return { code, body: '{}' };
    },
  },
  'N/log': { error: (entry) => logged.push(entry) },
  'N/record': {
    load: ({ type, id }) => {
      if (!job.stored || job.stored.type !== type || job.stored.id !== id) throw new Error('RCRD_DSNT_EXIST');
      return recordOf(job.stored);
    },
  },
};

let entry;
globalThis.define = (names, factory) => {
  entry = factory(...names.map((name) => modules[name]));
};
vm.runInThisContext(fs.readFileSync(script, 'utf8'), { filename: script });
entry.afterSubmit({
  type: job.type,
  UserEventType: { CREATE: 'create', EDIT: 'edit', XEDIT: 'xedit', DELETE: 'delete' },
  newRecord: recordOf(job.newRecord),
  oldRecord: recordOf(job.oldRecord),
});
process.stdout.write(JSON.stringify({ posted, logged }));
