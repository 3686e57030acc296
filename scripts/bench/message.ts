/** 81 characters of GSM 03.38, one segment: what every contestant sends. */
export const textOf = (n: number): string =>
  `Dear customer, your parcel ${parcel(n)} arrives on Thursday between 10:00 and 12:00. Bye`;

export const CONTENT =
  'Dear customer, your parcel {{parcel}} arrives on Thursday between 10:00 and 12:00. Bye';

export const parcel = (n: number): string => String(n % 10_000).padStart(4, '0');

/** A valid German mobile number for each n below 100 million. */
export const numberOf = (n: number): string => `49151${String(n).padStart(8, '0')}`;

export const SENDER = 'smsbatch';
