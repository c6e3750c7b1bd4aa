import { text } from "node:stream/consumers";
import { repositoryPassword } from "../plan/keys";

const USAGE = `usage: pulumi stack output repositoryRootKey --show-secrets | npm run --silent password CLIENT/REPOSITORY

Prints the derived password of a repository, also of one that is no longer in the configuration.
`;

/** The key as the stack holds it: PEM ends with one line end, whatever a pipe or a safe has made of it. */
export function normalizedRootKey(input: string): string {
  return `${input.trim()}\n`;
}

async function main(args: string[]): Promise<number> {
  const match = args.length === 1 ? /^([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(args[0] as string) : null;
  if (match === null || process.stdin.isTTY) {
    process.stderr.write(USAGE);
    return 2;
  }
  const rootKey = await text(process.stdin);
  if (!/^\s*-----BEGIN [A-Z ]+-----\n[\s\S]+-----END [A-Z ]+-----\s*$/.test(rootKey)) {
    process.stderr.write("standard input is not the root key: it begins with -----BEGIN\n");
    return 1;
  }
  console.log(repositoryPassword(normalizedRootKey(rootKey), match[1] as string, match[2] as string));
  return 0;
}

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
