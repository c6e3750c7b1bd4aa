import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mockedStack } from "../harness/mocked-stack";
import { fullExample } from "../harness/config-example";

const { SSH_AUTH_SOCK } = process.env;

beforeEach(() => {
  process.env["SSH_AUTH_SOCK"] = "/nowhere/agent";
});
afterEach(() => {
  if (SSH_AUTH_SOCK === undefined) delete process.env["SSH_AUTH_SOCK"];
  else process.env["SSH_AUTH_SOCK"] = SSH_AUTH_SOCK;
});

test("the program ends before it asks for anything where the SSH agent is gone", async () => {
  const program = mockedStack({ ...fullExample() });
  await expect(program).rejects.toThrow('SSH_AUTH_SOCK names "/nowhere/agent", where no SSH agent answers');
});
