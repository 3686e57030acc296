/** Names that say "phone number" and nothing else, and names that may. Lower case, without spaces, - and _. */
const CERTAIN = new Set([
  ...['phone', 'phonenumber', 'phoneno', 'msisdn', 'mobile', 'mobilenumber', 'mobilephone', 'mobileno'],
  ...['cellphone', 'cellnumber', 'tel', 'telephone', 'telephonenumber', 'telnumber', 'smsnumber', 'e164'],
  ...[
    'telefon',
    'telefonnummer',
    'handy',
    'handynummer',
    'mobilnummer',
    'rufnummer',
    'téléphone',
    'portable',
  ],
  ...['teléfono', 'telefono', 'móvil', 'movil', 'celular', 'telefone', 'cellulare', 'телефон'],
  ...['手机', '手机号', '手机号码', '电话', '电话号码', '联系电话', '移动电话'],
  ...[
    '手機',
    '手機號',
    '手機號碼',
    '電話',
    '電話號碼',
    '電話番号',
    '携帯番号',
    '携帯電話',
    '휴대폰',
    '전화번호',
  ],
]);
const POSSIBLE = new Set([
  'number',
  'cell',
  'to',
  'recipient',
  'destination',
  'nummer',
  'numero',
  'número',
  '号码',
  '號碼',
]);

const plain = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[\s_\-.]/g, '');

export type PhoneColumn = { at: number } | { problem: string; expected: string };

/**
 * Which column holds the phone numbers. A name that only may mean it counts where no certain one is there.
 * @param asked the user's word for it
 */
export function findPhoneColumn(columns: readonly string[], asked?: string): PhoneColumn {
  const list = columns
    .slice(0, 20)
    .map((name) => JSON.stringify(name))
    .join(', ');
  if (asked !== undefined) {
    const at = columns.indexOf(asked);
    return at === -1
      ? { problem: `There is no column ${JSON.stringify(asked)}.`, expected: `one of the columns: ${list}` }
      : { at };
  }
  for (const names of [CERTAIN, POSSIBLE]) {
    const found = columns.flatMap((name, at) => (names.has(plain(name)) ? [at] : []));
    if (found.length === 1) return { at: found[0]! };
    if (found.length > 1) {
      const which = found.map((at) => JSON.stringify(columns[at])).join(' and ');
      return {
        problem: `More than one column may hold the phone number: ${which}.`,
        expected: 'phoneColumn: the name of the column to use',
      };
    }
  }
  return {
    problem: 'There is no phone column.',
    expected: `a column called phone, msisdn, mobile, 手机号 …, or phoneColumn to name one of: ${list}`,
  };
}
