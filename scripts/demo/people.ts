/** What demo recipients are made of. Every prefix with any tail is a valid mobile number of its country. */

interface People {
  given: readonly string[];
  family: readonly string[];
  familyFirst?: boolean;
}

export interface DemoCountry {
  callingCode: string;
  /** Digits from the calling code on. */
  prefix: string;
  /** Digits behind the prefix; all of them lead to valid numbers. */
  tailDigits: number;
  /** Of a hundred recipients. Of ten million, they must fit into the tails. */
  percent: number;
  people: People;
  cities: readonly string[];
}

const CHINESE: People = {
  given: [
    '伟',
    '芳',
    '娜',
    '敏',
    '静',
    '丽',
    '强',
    '磊',
    '洋',
    '婷',
    '建国',
    '秀英',
    '子轩',
    '雨桐',
    '浩然',
    '欣怡',
  ],
  family: [
    '王',
    '李',
    '张',
    '刘',
    '陈',
    '杨',
    '赵',
    '黄',
    '周',
    '吴',
    '徐',
    '孙',
    '马',
    '朱',
    '欧阳',
    '司马',
  ],
  familyFirst: true,
};

const LATIN: People = {
  given: [
    'Anna',
    'José',
    'Marie',
    'Zoë',
    'Liam',
    'Noah',
    'Søren',
    'Ayşe',
    'François',
    'Renée',
    'Ivan',
    'Olga',
    'Chloé',
  ],
  family: [
    'Smith',
    'Müller',
    'Núñez',
    "O'Neill",
    'Øster',
    'Kowalski',
    'García',
    'da Silva',
    'Rossi',
    'Yılmaz',
    'Dubois',
  ],
};

export const COUNTRIES: readonly DemoCountry[] = [
  {
    callingCode: '86',
    prefix: '8613',
    tailDigits: 9,
    percent: 35,
    people: CHINESE,
    cities: ['北京', '上海', '广州', '深圳', '成都', '杭州', '西安', '武汉'],
  },
  {
    callingCode: '44',
    prefix: '4473',
    tailDigits: 8,
    percent: 15,
    people: LATIN,
    cities: ['London', 'Leeds', 'Cardiff', 'Glasgow', 'Belfast'],
  },
  {
    callingCode: '49',
    prefix: '49151',
    tailDigits: 8,
    percent: 15,
    people: LATIN,
    cities: ['Berlin', 'München', 'Köln', 'Düsseldorf', 'Görlitz'],
  },
  {
    callingCode: '91',
    prefix: '919',
    tailDigits: 9,
    percent: 10,
    people: LATIN,
    cities: ['Mumbai', 'Delhi', 'Bengaluru', 'Chennai'],
  },
  {
    callingCode: '55',
    prefix: '55119',
    tailDigits: 8,
    percent: 10,
    people: LATIN,
    cities: ['São Paulo', 'Osasco', 'Guarulhos'],
  },
  {
    callingCode: '34',
    prefix: '3466',
    tailDigits: 7,
    percent: 5,
    people: LATIN,
    cities: ['Madrid', 'Cádiz', 'A Coruña'],
  },
  {
    callingCode: '52',
    prefix: '52551',
    tailDigits: 7,
    percent: 4,
    people: LATIN,
    cities: ['Ciudad de México'],
  },
  {
    callingCode: '90',
    prefix: '90532',
    tailDigits: 7,
    percent: 3,
    people: LATIN,
    cities: ['İstanbul', 'İzmir', 'Ankara'],
  },
  {
    callingCode: '1',
    prefix: '12122',
    tailDigits: 6,
    percent: 3,
    people: LATIN,
    cities: ['New York', 'Albany'],
  },
];

/** None of them is a number, whatever the default country; the kinds that real files hold. */
export const BAD_PHONES: readonly string[] = [
  '',
  'n/a',
  '12345',
  '4.47911E+11',
  '+5215512345678',
  '+44 7300 12345',
  '+999123456789',
  '+442079460018 ext. 5',
  '"+447300123456, +447300123457"',
  'unknown',
];

const SHORT_NOTES = [
  '',
  '',
  'VIP',
  '新客户',
  'call after 18:00',
  '"size 42, blue"',
  '"said ""thanks"""',
  'çá € [ok]',
  '生日快乐 🎉',
];

const LONG_NOTE =
  'Your parcel could not be delivered because nobody was at home. You can collect it from tomorrow at ten, ' +
  'bring an identity card and this message, or choose another day on our website. The parcel is kept for seven days.';

const LONG_CHINESE_NOTE =
  '尊敬的客户，您的订单已经发货，预计三天内送达，请保持电话畅通。如需更改收货地址，请在今晚八点之前联系我们的客服。'.repeat(
    3,
  );

/** As they stand in the file, quoted where they must be; 2 in 40 are long. */
export const NOTES: readonly string[] = [
  ...Array.from({ length: 38 }, (_, index) => SHORT_NOTES[index % SHORT_NOTES.length]!),
  `"${LONG_NOTE}"`,
  LONG_CHINESE_NOTE,
];
