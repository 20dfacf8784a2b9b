// The round of hvac_round.py once more with node-vault, which asks in other ways: patches by PATCH,
// lists by LIST, and shows wrapping tokens as its own. Told by the environment: ROWLOCK_ADDR,
// ROWLOCK_JWT.
'use strict';

const assert = require('assert');
const nodeVault = require('node-vault');

const endpoint = process.env.ROWLOCK_ADDR;

async function fails(status, words, promise) {
  try {
    await promise;
  } catch (error) {
    assert.strictEqual(error.response && error.response.statusCode, status, error);
    assert.ok(error.message.includes(words), `${words} is not in ${error.message}`);
    return error;
  }
  throw new assert.AssertionError({ message: `did not fail with ${status}` });
}

async function logIn(vault) {
  assert.strictEqual((await vault.health()).sealed, false);
  assert.strictEqual((await vault.initialized()).initialized, true);
  assert.strictEqual((await vault.status()).sealed, false);
  await fails(403, 'permission denied', vault.read('secret/data/node/db'));
  const login = await vault.jwtLogin({ role: 'web', jwt: process.env.ROWLOCK_JWT });
  assert.strictEqual(vault.token, login.auth.client_token);
  assert.strictEqual((await vault.tokenLookupSelf()).data.display_name, 'web-0');
}

async function writeAndRead(vault) {
  const x = 'secret/data/app/node';
  await fails(404, 'Status 404', vault.read(x));
  await vault.write(x, { data: { a: '1', b: '2' }, options: { cas: 0 } });
  await fails(400, 'check-and-set parameter did not match the current version',
    vault.write(x, { data: {}, options: { cas: 0 } }));
  await vault.update(x, { data: { b: null, c: '3' } });
  const read = await vault.read(x);
  assert.deepStrictEqual(read.data.data, { a: '1', c: '3' });
  assert.strictEqual(read.data.metadata.version, 2);
  assert.ok(!Number.isNaN(Date.parse(read.data.metadata.created_time)));
  const keys = (await vault.list('secret/metadata/app')).data.keys;
  assert.ok(keys.includes('node'), keys);
  const plain = nodeVault({ endpoint, token: vault.token, noCustomHTTPVerbs: true });
  assert.deepStrictEqual((await plain.list('secret/metadata/app')).data.keys, keys);
  await vault.update('secret/metadata/app/node', { custom_metadata: { owner: 'anna' } });
  const metadata = (await vault.read('secret/metadata/app/node')).data;
  assert.deepStrictEqual(metadata.custom_metadata, { owner: 'anna' });
}

async function deleteAndBringBack(vault) {
  await vault.delete('secret/data/app/node');
  const gone = await fails(404, 'Status 404', vault.read('secret/data/app/node'));
  assert.strictEqual(gone.response.body.data.data, null);
  assert.strictEqual(gone.response.body.data.metadata.version, 2);
  await vault.write('secret/undelete/app/node', { versions: [2] });
  assert.strictEqual((await vault.read('secret/data/app/node?version=2')).data.data.c, '3');
  await vault.write('secret/destroy/app/node', { versions: [1] });
  await vault.delete('secret/metadata/app/node');
  await fails(404, 'Status 404', vault.read('secret/metadata/app/node'));
}

async function wrap(vault) {
  const wrapped = await vault.write('sys/wrapping/wrap', { note: 'once' },
    { headers: { 'X-Vault-Wrap-TTL': '60' } });
  const stranger = nodeVault({ endpoint, token: wrapped.wrap_info.token });
  assert.deepStrictEqual((await stranger.unwrap()).data, { note: 'once' });
  await fails(400, 'wrapping token is not valid', stranger.unwrap());
}

async function end(vault) {
  assert.ok((await vault.tokenRenewSelf()).auth.lease_duration > 0);
  await vault.tokenRevokeSelf();
  await fails(403, 'permission denied', vault.tokenLookupSelf());
}

(async () => {
  const vault = nodeVault({ endpoint });
  await logIn(vault);
  await writeAndRead(vault);
  await deleteAndBringBack(vault);
  await wrap(vault);
  await end(vault);
  console.log('node-vault: all good');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
