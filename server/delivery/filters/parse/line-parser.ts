/** The contract of a format: a text in, its fields out. */

/** Values are what JSON can say, and bigints. Undefined: the text is not of the format. */
export type LineParser = (text: string) => readonly (readonly [key: string, value: unknown])[] | undefined
