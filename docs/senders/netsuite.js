/**
 * Posts a record to metronome-bridge whenever it is saved or deleted, signed. netsuite.md tells how to install it.
 *
 * @NApiVersion 2.1
 * @NScriptType UserEventScript
 */
define(['N/crypto', 'N/encode', 'N/https', 'N/log', 'N/record'], (crypto, encode, https, log, record) => {
  const BRIDGE = 'https://<your host>/webhooks/netsuite';

  // The script id of an API secret. Of a credential field take {guid: '...'} instead.
  const SECRET = { secret: 'custsecret_metronome_bridge' };

  // Record type -> the ids of the fields to send.
  const FIELDS = {
    customer: [
      'entityid', 'companyname', 'salesrep', 'terms', 'currency', 'creditlimit', 'entitystatus', 'isinactive',
      'custentity_tier', 'custentity_renewal_date',
    ],
  };

  // Each may take as long as N/https waits, and whoever saves the record waits with it.
  const ATTEMPTS = 2;

  const afterSubmit = (context) => {
    const saved = context.newRecord || context.oldRecord;
    if (!FIELDS[saved.type]) return;
    // The record is saved already: what goes wrong from here on must not look as if it were not.
    try {
      deliver(eventOf(context, saved, new Date().toISOString()));
    } catch (error) {
      log.error({ title: 'metronome-bridge: nothing was sent', details: `${saved.type} ${saved.id}: ${error.message}` });
    }
  };

  // Its id stays the same however often it is sent. The record's own lastmodifieddate may be no finer than a minute.
  const eventOf = (context, saved, lastModified) => {
    const isGone = context.type === context.UserEventType.DELETE;
    // Editing in a list hands over nothing but what was edited.
    const whole = isGone ? context.oldRecord : record.load({ type: saved.type, id: saved.id });
    const each = (read) => Object.fromEntries(FIELDS[saved.type].map((fieldId) => [fieldId, plain(read(fieldId))]));
    return {
      id: `${saved.type}:${saved.id}:${lastModified}`,
      type: `${saved.type}.${context.type}`,
      lastModified,
      recordType: saved.type,
      recordId: String(saved.id),
      record: each((fieldId) => whole.getValue({ fieldId })),
      labels: each((fieldId) => whole.getText({ fieldId })),
    };
  };

  // Empty fields are null. A date is midnight in the zone of this script: in UTC it might be the day before.
  const plain = (value) => {
    if (value === '' || value === undefined) return null;
    if (!(value instanceof Date)) return value;
    if (value.getHours() || value.getMinutes() || value.getSeconds()) return value.toISOString();
    const digits = (number, length) => String(number).padStart(length, '0');
    return `${digits(value.getFullYear(), 4)}-${digits(value.getMonth() + 1, 2)}-${digits(value.getDate(), 2)}`;
  };

  const deliver = (event) => {
    const body = ascii(JSON.stringify(event));
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const problem = post(body);
      if (!problem) return;
      log.error({ title: `metronome-bridge: attempt ${attempt} of ${ATTEMPTS}`, details: `${event.id}: ${problem}` });
    }
  };

  // Bytes that no encoding on the way changes: they are signed.
  const ascii = (json) =>
    json.replace(/[\u007f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

  const post = (body) => {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const headers = {
      'Content-Type': 'application/json',
      'X-NetSuite-Timestamp': timestamp,
      'X-NetSuite-Signature': sign(`${timestamp}.${body}`),
    };
    try {
      const answer = https.post({ url: BRIDGE, headers, body });
      return answer.code === 200 ? null : `answered ${answer.code} ${answer.body}`;
    } catch (error) {
      return error.message;
    }
  };

  const sign = (message) => {
    const key = crypto.createSecretKey({ ...SECRET, encoding: encode.Encoding.UTF_8 });
    const hmac = crypto.createHmac({ algorithm: crypto.HashAlg.SHA256, key });
    hmac.update({ input: message, inputEncoding: encode.Encoding.UTF_8 });
    return hmac.digest({ outputEncoding: encode.Encoding.HEX });
  };

  return { afterSubmit };
});
