import * as pulumi from "@pulumi/pulumi";

/** The engine's own function that reads what the last update left; `pulumi.StackReference` uses the same. */
const READ_STATE = "pulumi:pulumi:readStackResourceOutputs";

type Outputs = Readonly<Record<string, unknown>>;

/** What the stack's state has before this update. */
export class StackState {
  private readonly resources = new Map<string, Outputs>();

  /** @param resources outputs by URN */
  constructor(resources: Readonly<Record<string, { type: string; outputs?: Outputs }>>) {
    for (const [urn, { type, outputs = {} }] of Object.entries(resources)) {
      this.resources.set(`${type} ${nameIn(urn)}`, outputs);
    }
  }

  /**
   * Reads the state of the stack that is being updated.
   *
   * @throws pulumi.RunError where it cannot be read: without it nothing is known of what exists
   */
  static async read(): Promise<StackState> {
    const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
    try {
      const { outputs } = (await pulumi.runtime.invoke(READ_STATE, { stackName })) as {
        outputs: ConstructorParameters<typeof StackState>[0];
      };
      return new StackState(outputs);
    } catch (error) {
      const words = (error as Error).message;
      throw new pulumi.RunError(
        `the state of the stack ${stackName} cannot be read, so nothing is changed: ${words}; run the update again`,
      );
    }
  }

  /** The outputs of a resource, secrets in plain text; `undefined` where there is no such resource. */
  outputsOf(type: string, name: string): Outputs | undefined {
    return this.resources.get(`${type} ${name}`);
  }

  /** Whether a machine of this name was created. */
  hasHost(name: string): boolean {
    return this.outputsOf("openstack:compute/instance:Instance", name) !== undefined;
  }

  /** The name of the resource of a type of which a stack has one. */
  nameOf(type: string): string | undefined {
    const key = [...this.resources.keys()].find((key) => key.startsWith(`${type} `));
    return key?.slice(type.length + 1);
  }
}

/** The last part of a URN. */
function nameIn(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
