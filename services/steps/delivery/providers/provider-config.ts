import { readFileSync } from 'node:fs';
import Type from 'typebox';
import { check } from '../../../../contracts/check.ts';
import type { Finding } from '../../../../contracts/errors.ts';
import { readJsonList } from '../../../../lib/config/json-list.ts';
import { ConfigError, type Env } from '../../../../lib/config/read-config.ts';
import { SmppAccount } from './smpp/smpp-config.ts';

/** With its password read. */
export type ProviderConfig = SmppAccount & { password: string };

const VARIABLE = 'SMSBATCH_PROVIDERS';

/** The environment's part of it, for the generated table of variables. */
export const providersConfig = Type.Object({
  [VARIABLE]: Type.Optional(
    Type.String({
      secret: true,
      description:
        'Carrier accounts: a JSON list, or the path of a file that holds one. Passwords belong into files of their own (`passwordFile`)',
    }),
  ),
});

/**
 * The carrier accounts of this process; none when the variable is unset.
 * @throws ConfigError with every mistake in every account
 */
export function readProviders(env: Env): ProviderConfig[] {
  const parsed = readJsonList(VARIABLE, env, 'accounts');
  if (parsed === undefined) return [];
  const findings: Finding[] = [];
  const configs: ProviderConfig[] = [];
  const names = new Set<string>();
  parsed.forEach((entry, i) => {
    const at = (field: string) => `${i}${field ? `/${field}` : ''}`;
    const kind = (entry as { kind?: unknown } | null)?.kind;
    if (kind !== 'smpp') {
      findings.push({ field: at('kind'), value: kind, expected: '"smpp"' });
      return;
    }
    const checked = check(SmppAccount, entry);
    if (!checked.ok) {
      findings.push(...checked.errors.map((each) => ({ ...hidden(each), field: at(each.field) })));
      return;
    }
    const account = checked.value;
    if (names.has(account.name))
      findings.push({ field: at('name'), value: account.name, expected: 'a name of its own' });
    names.add(account.name);
    const password = passwordOf(account, at, findings);
    if (password !== undefined) configs.push({ ...account, password });
  });
  if (findings.length > 0) {
    throw new ConfigError(
      findings.map(({ field, value, expected }) => ({
        field: `${VARIABLE}/${field}`,
        value:
          value === undefined ? undefined : String(typeof value === 'object' ? JSON.stringify(value) : value),
        expected,
      })),
    );
  }
  return configs;
}

const hidden = (finding: Finding): Finding =>
  finding.field === 'password' || finding.field === '' ? { ...finding, value: '(hidden)' } : finding;

function passwordOf(
  { password, passwordFile }: SmppAccount,
  at: (field: string) => string,
  findings: Finding[],
): string | undefined {
  if (password !== undefined && passwordFile !== undefined) {
    findings.push({
      field: at('passwordFile'),
      value: passwordFile,
      expected: 'only one of password and passwordFile',
    });
    return undefined;
  }
  if (passwordFile === undefined) return password ?? '';
  try {
    return readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const expected = `a file that can be read (${(error as NodeJS.ErrnoException).code})`;
    findings.push({ field: at('passwordFile'), value: passwordFile, expected });
    return undefined;
  }
}
