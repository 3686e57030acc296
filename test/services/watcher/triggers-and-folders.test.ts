import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { headers } from '@nats-io/transport-node';
import type { DeadLetterView } from '../../../contracts/dead-api.ts';
import type { ErrorBody } from '../../../contracts/errors.ts';
import type { RuleDefinition } from '../../../contracts/rule-api.ts';
import { STREAMS, triggerSubject } from '../../../contracts/subjects.ts';
import type { ImportReport } from '../../../contracts/tables.ts';
import type { CommandClient } from '../../../lib/batch/command-client.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { type HotFolder, readFolders } from '../../../services/watcher/folders/folder-config.ts';
import { look, seenFile } from '../../../services/watcher/folders/look.ts';
import { putAway } from '../../../services/watcher/folders/put-away.ts';
import { takeFile } from '../../../services/watcher/folders/take-file.ts';
import { engineRig, phoneOf, type Rig } from '../../engine/rig.ts';
import { until } from '../../support/until.ts';

let rig: Rig;
let drop: string;
const DROP: Omit<HotFolder, 'path'> = {
  name: 'drop',
  settleSeconds: 0.2,
  template: { name: 'From ${file}', content: 'Hello {{name}}', providers: ['simulator'] },
  defaultCountry: 'GB',
};
before(async () => {
  drop = await mkdtemp(join(tmpdir(), 'smsbatch-drop-'));
  rig = await engineRig({
    processes: { host: ['batch', 'tables', 'steps', 'watcher'] },
    env: { WATCHER_FOLDERS: JSON.stringify([{ ...DROP, path: drop }]) },
  });
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
  if (drop) await rm(drop, { recursive: true, force: true });
});

/** @returns its letter, when it has come to the dead ones */
async function buried(source: string, data: string): Promise<DeadLetterView> {
  const { seq } = await rig.js.publish(triggerSubject(source), data);
  return until(
    `the trigger ${seq} is refused`,
    async () => {
      const { letters } = await rig.call('dead', 'list', { stream: STREAMS.triggers, limit: 500 });
      for (const { id } of letters) {
        const letter = await rig.call('dead', 'get', { id });
        if (letter.headers['Sms-Dead-Sequence'] === `${seq}`) return letter;
      }
      return undefined;
    },
    60_000,
  );
}

const starts = (batchId: string): RuleDefinition => ({
  source: 'crm',
  match: [{ field: 'go', equals: batchId }],
  command: { verb: 'start', batchId },
});

describe('rules', () => {
  it('are made once, changed by version, listed and removed', async () => {
    const made = await rig.call('rule', 'create', { id: 'r1', rule: starts('a') });
    assert.deepEqual(await rig.call('rule', 'create', { id: 'r1', rule: starts('a') }), made);
    assert.equal(
      (await rig.refusal('rule', 'create', { id: 'r1', rule: starts('b') })).code,
      'already-exists',
    );
    const changed = await rig.call('rule', 'update', {
      id: 'r1',
      patch: { enabled: false },
      expectedVersion: 1,
    });
    assert.deepEqual([changed.version, changed.enabled, changed.source], [2, false, 'crm']);
    const stale = { id: 'r1', patch: { enabled: true }, expectedVersion: 1 };
    assert.equal((await rig.refusal('rule', 'update', stale)).code, 'version-conflict');
    await rig.call('rule', 'create', { id: 'r2', rule: starts('b') });
    const first = await rig.call('rule', 'list', { source: 'crm', limit: 1 });
    const second = await rig.call('rule', 'list', { source: 'crm', limit: 1, cursor: first.nextCursor });
    assert.deepEqual([first.rules[0].id, second.rules[0].id, second.nextCursor], ['r1', 'r2', undefined]);
    for (const id of ['r1', 'r2']) assert.equal((await rig.call('rule', 'delete', { id })).deleted, true);
    assert.equal((await rig.refusal('rule', 'get', { id: 'r1' })).code, 'not-found');
  });

  it('are refused with field, value and what is accepted', async () => {
    const command = { verb: 'explode', batchId: 'x' };
    const { code, errors } = await rig.refusal('rule', 'create', {
      id: 'bad',
      rule: { source: 'a b', command },
    });
    assert.equal(code, 'invalid-body');
    assert.deepEqual(errors.map(({ field }) => field).sort(), ['rule/command/verb', 'rule/source']);
    const odd = { source: 'crm', command: { verb: 'start', batchId: 'x y', body: { colour: 'red' } } };
    const told = await rig.refusal('rule', 'create', { id: 'bad', rule: odd });
    assert.deepEqual(
      [told.code, ...told.errors.map(({ field }) => field)],
      ['invalid', 'command/batchId', 'command/body/colour'],
    );
  });
});

describe('triggers that are refused', () => {
  it('lie among the dead letters with the reason: no JSON, no rule, a field that is not there', async () => {
    assert.match((await buried('crm', 'not JSON')).reason, /The body is not JSON/);
    assert.match((await buried('nobody.knows', '{}')).reason, /no rule is for source nobody\.knows/);
    const command = { verb: 'start', batchId: 'order-${event.order}' };
    await rig.call('rule', 'create', { id: 'field', rule: { source: 'lacking', command } });
    assert.match((await buried('lacking', '{"a":1}')).reason, /field\/batchId .*: it has a$/);
  });

  it('so do those whose command the actor refuses; replayed when it is mended, they are obeyed', async () => {
    await rig.call('rule', 'create', { id: 'start-later', rule: starts('later') });
    const letter = await buried('crm', '{"go":"later"}');
    assert.match(letter.reason, /rule start-later: start of later was refused: not-found/);
    const batch = {
      name: 'later',
      content: 'Hello',
      providers: ['simulator'],
      recipients: [{ phone: phoneOf(1) }],
    };
    await rig.call('batch', 'create', { id: 'later', batch });
    const { replayed } = await rig.call('dead', 'replay', { ids: [letter.id] });
    assert.deepEqual(replayed, [{ id: letter.id, subject: 'sms.trigger.crm' }]);
    assert.equal((await rig.ended('later')).state, 'Succeeded');
  });
});

interface FileReport {
  state: 'done' | 'failed';
  batchId?: string;
  duplicate?: boolean;
  import?: ImportReport;
  error?: ErrorBody;
}

/** Drops a file as a whole, and waits for its report. */
async function dropped(name: string, content: string | Uint8Array): Promise<FileReport> {
  await writeFile(join(drop, `.${name}`), content);
  await rename(join(drop, `.${name}`), join(drop, name));
  return reportOf(name);
}

const reportOf = (name: string): Promise<FileReport> =>
  until(
    `the report of ${name}`,
    async () => {
      for (const folder of ['done', 'failed']) {
        const text = await readFile(join(drop, folder, `${name}.report.json`), 'utf8').catch(() => '');
        // Written in one go, and perhaps seen in the midst of it.
        if (text.endsWith('}\n')) return JSON.parse(text);
      }
      return undefined;
    },
    60_000,
  );

const csv = (...people: [index: number, name: string][]) =>
  `phone,name\n${people.map(([index, name]) => `${phoneOf(index)},${name}`).join('\n')}\n`;

/** A file goes after its report is written. */
const allPutAway = () =>
  until(
    'all files are put away',
    async () => (await readdir(drop)).every((name) => name === 'done' || name === 'failed'),
    60_000,
  );

describe('a hot folder', () => {
  it('makes a batch of each file: CSV, NDJSON, packed', async () => {
    const files = {
      'people.csv': csv([1, 'Ann'], [2, 'Bob']),
      'people.ndjson': `${JSON.stringify({ phone: phoneOf(3), name: 'Cid' })}\n`,
      'packed.csv.gz': gzipSync(csv([4, 'Dan'])),
    };
    for (const [name, content] of Object.entries(files)) {
      const report = await dropped(name, content);
      const rows = name === 'people.csv' ? 2 : 1;
      assert.deepEqual([report.state, report.import?.rows], ['done', rows], JSON.stringify(report));
      const view = await rig.ended(report.batchId!, ['Succeeded']);
      assert.equal(view.counts.accepted, rows);
      assert.equal(view.name, `From ${name.replace(/\..*/, '')}`);
      assert.deepEqual([view.origin?.kind, view.origin?.id, view.origin?.file], ['folder', 'drop', name]);
      await until(
        `${name} is put away`,
        async () => (await readdir(join(drop, 'done'))).includes(name),
        60_000,
      );
    }
    await allPutAway();
  });

  it('makes one batch of the same content, whatever its name, packed or not', async () => {
    const content = csv([5, 'Eve']);
    const { batchId } = await dropped('eve.csv', content);
    assert.deepEqual(await only(dropped('eve again.csv', content)), {
      state: 'done',
      batchId,
      duplicate: true,
    });
    const packed = await only(dropped('eve.csv.gz', gzipSync(content)));
    assert.deepEqual(packed, { state: 'done', batchId, duplicate: true });
    // The same name again goes beside the first one.
    await writeFile(join(drop, 'eve.csv'), content);
    await until(
      'the second eve.csv is put away',
      async () =>
        (await readdir(join(drop, 'done'))).filter((name) => /^\d+-eve\.csv$/.test(name)).length === 1,
      60_000,
    );
    const { batches } = await rig.call('batch', 'list', { name: 'From eve' });
    assert.deepEqual(
      batches.map(({ id }: { id: string }) => id),
      [batchId],
    );
  });

  it('puts bad files away with a report, and goes on', async () => {
    const whole = gzipSync(csv([6, 'Fay']));
    await symlink(join(drop, 'nowhere'), join(drop, 'link.csv'));
    const bad: Record<string, [Promise<FileReport>, RegExp]> = {
      'no phone column': [dropped('nophone.csv', 'name,city\nAnn,Bath\n'), /phone/i],
      'half-written, packed': [
        dropped('half.csv.gz', whole.subarray(0, whole.length - 9)),
        /damaged or cut off/,
      ],
      'half-written, a quote open': [dropped('quote.csv', 'phone,name\n+447300000001,"Ann\n'), /quote/i],
      'no text': [dropped('binary.csv', Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xff])), /UTF-8/],
      empty: [dropped('empty.csv', ''), /empty/],
      'no file': [reportOf('link.csv'), /no regular file/],
    };
    for (const [what, [report, expected]] of Object.entries(bad)) {
      const { state, error } = await report;
      assert.equal(state, 'failed', what);
      assert.match(JSON.stringify(error), expected, what);
    }
    assert.ok((await readdir(join(drop, 'failed'))).includes('nophone.csv'));
    assert.equal((await dropped('good.csv', csv([7, 'Gus']))).state, 'done');
    await allPutAway();
    const { tables } = await rig.call('table', 'list', { prefix: 'drop-' });
    const { batches } = await rig.call('batch', 'list', {});
    for (const { table } of tables)
      assert.ok(
        batches.some(({ id }: { id: string }) => id === table),
        table,
      );
  });

  it('leaves alone what its writer is not done with', async () => {
    await writeFile(join(drop, 'big.csv.part'), csv([8, 'Hal']));
    await dropped('next.csv', csv([9, 'Ida']));
    assert.ok((await readdir(drop)).includes('big.csv.part'));
    await rename(join(drop, 'big.csv.part'), join(drop, 'big.csv'));
    assert.equal((await reportOf('big.csv')).state, 'done');
  });

  it('makes no batch of a file that changes, or goes, while it is read', async () => {
    const away = await mkdtemp(join(tmpdir(), 'smsbatch-away-'));
    const folder = { ...DROP, path: away };
    const commands = {
      publishAndHear: () => assert.fail('no batch may be made'),
    } as unknown as CommandClient;
    const signal = new AbortController().signal;
    /** Does something when the content has been read once, before it is imported. */
    const inBetween = (act: () => Promise<unknown>): Store => {
      const findOne = async () => {
        await act();
        return null;
      };
      return { ...rig.store, batches: Object.create(rig.store.batches, { findOne: { value: findOne } }) };
    };
    try {
      const path = join(away, 'a.csv');
      await writeFile(path, csv([10, 'Jan']));
      const file = (await seenFile(path, 'a.csv'))!;
      const growing = inBetween(() => appendFile(path, `${phoneOf(11)},Kim\n`));
      assert.deepEqual(await takeFile({ store: growing, commands, signal }, folder, file), {
        kind: 'changed',
      });
      const grown = (await seenFile(path, 'a.csv'))!;
      const renamed = inBetween(() => rename(path, `${path}.away`).catch(() => {}));
      const taken = await takeFile({ store: renamed, commands, signal }, folder, grown);
      assert.ok(taken.kind === 'gone');
      await look(away);
      const to = await putAway(away, 'a.csv', taken, Date.now());
      assert.equal(to, join(away, 'failed', 'a.csv'));
      assert.match(await readFile(`${to}.report.json`, 'utf8'), /renamed or removed while it was read/);
      if (process.platform === 'linux') {
        // A regular file of which nothing can be read, whoever asks.
        const unreadable = { ...folder, path: '/proc/self' };
        const mem = (await seenFile('/proc/self/mem', 'mem'))!;
        const refused = await takeFile({ store: rig.store, commands, signal }, unreadable, mem);
        assert.match(JSON.stringify(refused), /"refused".*mem cannot be read: EIO/);
      }
      const late = await takeFile({ store: rig.store, commands, signal }, folder, grown);
      assert.deepEqual(late, { kind: 'elsewhere' });
    } finally {
      await rm(away, { recursive: true, force: true });
    }
    assert.equal(await rig.store.tables.countDocuments({ rows: 2, 'imports.source': 'file a.csv' }), 0);
  });
});

/** Without what differs from run to run. */
async function only(report: Promise<FileReport>): Promise<object> {
  const { state, batchId, duplicate } = await report;
  return { state, batchId, duplicate };
}

describe('a watcher that is killed in the midst', () => {
  it('has obeyed each event once, in order, and made one batch of a file, when it is back', async () => {
    const TRIGGERS = 60;
    const ROWS = 20_000;
    await rig.simulator.reset();
    const batch = { name: 'counted', content: 'Hello', recipients: [{ phone: phoneOf(1) }] };
    await rig.call('batch', 'create', { id: 'counted', batch });
    const body = { patch: { description: '${event.n}' } };
    const command = { verb: 'update', batchId: 'counted', body };
    await rig.call('rule', 'create', { id: 'count', rule: { source: 'count', command } });
    const people = Array.from({ length: ROWS }, (_, index): [number, string] => [1_000 + index, 'Ann']);
    await writeFile(join(drop, '.many'), csv(...people));
    await rename(join(drop, '.many'), join(drop, 'many.csv'));
    const source = 'file many.csv';
    await until(
      'the import runs',
      async () => (await rig.store.imports.findOne({ source })) !== null,
      60_000,
    );
    for (let n = 1; n <= TRIGGERS; n++) await rig.js.publish(triggerSubject('count'), `{"n":"${n}"}`);
    const version = async () => (await rig.store.batches.findOne({ _id: 'counted' }))!.version;
    await until('some events are obeyed', async () => (await version()) > 5, 60_000);
    const host = rig.processes.get('host')!;
    host.kill('SIGKILL');
    await host.exited;
    await rig.start('host', ['batch', 'tables', 'steps', 'watcher']);
    await until(
      'all events are obeyed',
      async () => (await rig.jsm.streams.info(STREAMS.triggers)).state.messages === 0,
      60_000,
    );
    const view = await rig.call('batch', 'get', { id: 'counted' });
    // Created at version 1; each update changes the description, so each raises the version by one.
    assert.deepEqual([view.version, view.description], [1 + TRIGGERS, `${TRIGGERS}`]);
    const { batchId } = await reportOf('many.csv');
    const { counts, total } = await rig.ended(batchId!, ['Succeeded']);
    assert.deepEqual([total, counts.accepted + counts.unknown], [ROWS, ROWS]);
    const { doubled } = await rig.ledger(batchId!);
    assert.equal(doubled, 0);
  });
});

describe('docs/watching.md', () => {
  it('has examples that work as they stand there', async () => {
    const page = await readFile(new URL('../../../docs/watching.md', import.meta.url), 'utf8');
    const lines = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block]) => block!.split('\n'));
    const requests = lines.filter((line) => line.startsWith('nats '));
    assert.ok(requests.length >= 8);
    for (const line of requests) {
      const [, header, subject, body] =
        /^nats req (?:--header (\S+) )?(\S+) '(.*?)'/.exec(line) ?? assert.fail(line);
      const sent = headers();
      const [name, value] = header?.split(':') ?? [];
      if (name && value) sent.set(name, value);
      const answer = await rig.nc.request(subject!, body, { headers: sent, timeout: 60_000 });
      assert.equal(answer.headers?.get('Nats-Service-Error') || '', '', line);
      if (subject === 'sms.api.rule.test')
        assert.equal(answer.json<{ commands: object[] }>().commands.length, 1);
      if (subject === 'sms.trigger.shop.orders') {
        await until(
          'the order’s batch',
          () => rig.call('batch', 'get', { id: 'order-17' }).catch(() => undefined),
          60_000,
        );
      }
    }
    assert.equal((await rig.call('batch', 'get', { id: 'order-17' })).counts.accepted, 1);
    const folders = /```json\n(\[.*?)```/s.exec(page)?.[1];
    assert.equal(readFolders({ WATCHER_FOLDERS: folders }).length, 1);
  });
});
