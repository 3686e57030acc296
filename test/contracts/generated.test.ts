import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CATALOGUE, SCHEMA_KINDS } from '../../contracts/catalogue.ts';
import { generatedFiles, staleFiles } from '../../scripts/generate/generated-files.ts';
import { withSection } from '../../scripts/generate/readme-section.ts';
import { stateDiagram } from '../../scripts/generate/state-diagram.ts';
import { TRANSITIONS } from '../../services/batch/fsm/transitions.ts';

describe('generated files', () => {
  it('are what the contracts say now', async () => {
    assert.deepEqual(staleFiles(await generatedFiles()), [], 'stale: npm run generate');
  });

  it('are the same to the byte, made twice', async () => {
    assert.deepEqual(await generatedFiles(), await generatedFiles());
  });

  it('are a schema a body, each with its own id, title, description and dialect', async () => {
    const files = await generatedFiles();
    const ids = new Set<string>();
    for (const { kind, name, description } of CATALOGUE) {
      const schema = JSON.parse(files.get(`contracts/schemas/${kind}/${name}.json`)!);
      assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
      assert.equal(schema.title, `${kind}/${name}`);
      assert.equal(schema.description, description);
      assert.ok(description.length > 5, `${kind}/${name} needs a description`);
      ids.add(schema.$id);
    }
    assert.equal(ids.size, CATALOGUE.length);
    assert.deepEqual([...new Set(CATALOGUE.map(({ kind }) => kind))].sort(), [...SCHEMA_KINDS].sort());
  });

  it('draw every event of the table', () => {
    const diagram = stateDiagram();
    for (const { event } of TRANSITIONS) assert.match(diagram, new RegExp(`--> \\S+: ${event}\\b`), event);
  });

  it('need their markers in a README that is there', () => {
    assert.throws(() => withSection('# mine\n', 'states', 'x'), /generated:states/);
    const text = 'a\n<!-- generated:states -->\nold\n<!-- /generated -->\nb\n';
    assert.equal(
      withSection(text, 'states', 'new'),
      'a\n<!-- generated:states -->\nnew\n<!-- /generated -->\nb\n',
    );
  });
});
