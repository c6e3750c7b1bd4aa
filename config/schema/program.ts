import { downloadProblem, sha256Problem } from "../values/programs";
import { Rule, text, mapping } from "./fields";

/** A program that a host downloads, checks and installs. */
export interface Artifact {
  /** Its version, three numbers without a `v`, such as `1.76.0`. Required. */
  version: string;
  /** Where the host gets the file (http or https, no credentials). Required. */
  url: string;
  /** SHA-256 of the file at `url`, before unpacking: 64 lower-case hexadecimal digits. Required. */
  sha256: string;
}

export const artifact = (program: string, packed: string, versionRule: Rule, sums: string) =>
  mapping(
    {
      version: text(`give the version of ${program}, for example "1.76.0"`, versionRule),
      url: text(`give the URL of a raw binary or an official ${packed} file`, downloadProblem(packed)),
      sha256: text(
        `give the SHA-256 of the file at url, for an official release its line in ${sums}`,
        sha256Problem(sums),
      ),
    },
    `give version, url and sha256 of ${program}`,
  );
