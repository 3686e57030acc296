/** Why a phone number was refused, as data: the code is stored with the row, the text is for people. */
export const PHONE_REFUSALS = {
  EMPTY: 'there is no number',
  NOT_A_NUMBER: 'it holds something that belongs to no phone number',
  TOO_SHORT: 'it has too few digits for its country',
  TOO_LONG: 'it has too many digits for its country',
  INVALID_COUNTRY: 'it does not begin with the calling code of any country',
  UNKNOWN_DEFAULT_COUNTRY: 'the default country is not known: give its ISO 3166 code, as GB',
  NO_DEFAULT_COUNTRY: 'it has no country code: write +44…, or give a default country',
  NOT_VALID_FOR_COUNTRY: 'its country has no numbers like this one',
  OLD_MEXICAN_PREFIX: 'Mexico dropped the 1 behind +52 in 2019: write +52 and ten digits',
  SCIENTIFIC_NOTATION:
    'a spreadsheet rounded it (as 4.47911E+11) and its last digits are lost: export the column as text',
  HAS_EXTENSION: 'it has an extension, which no text message can reach',
} as const;

export type PhoneRefusalCode = keyof typeof PHONE_REFUSALS;
