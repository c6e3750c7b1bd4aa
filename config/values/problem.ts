/** What is wrong with a string and, after a semicolon, the remedy; undefined: nothing. The string itself is not in it. */
export type Problem = string | undefined;
