/** Keeps the root key in the state for as long as backups may need it: `pulumi destroy` does not run the program. */
import * as pulumi from "@pulumi/pulumi";

/** Arguments of {@link RootKeyLock}. */
export interface RootKeyLockArgs {
  /** Name of the bucket whose backups the key opens. */
  readonly bucket: pulumi.Input<string>;
  /** Whether the backups in it may become unreadable. */
  readonly givenUp: pulumi.Input<boolean>;
}

/** What the state keeps. */
export interface RootKeyLockState {
  readonly bucket: string;
  readonly givenUp: boolean;
}

/** The provider: its functions are stored as source code in the state, and need nothing of any service. */
export const rootKeyLockProvider: pulumi.dynamic.ResourceProvider<RootKeyLockState, RootKeyLockState> = {
  create(inputs) {
    return Promise.resolve({ id: inputs.bucket, outs: inputs });
  },
  diff(_id, olds, news) {
    return Promise.resolve({ changes: olds.bucket !== news.bucket || olds.givenUp !== news.givenUp });
  },
  update(_id, _olds, news) {
    return Promise.resolve({ outs: news });
  },
  delete(_id, { bucket, givenUp }) {
    if (givenUp) return Promise.resolve();
    const error = new Error(
      `the root key stays in the stack, for without it nobody can read the backups in the bucket ${bucket}: ` +
        "npm run destroy removes it with a bucket that is empty, or that s3.givenUp gives up",
    );
    // Pulumi prints it besides the message.
    error.stack = "";
    return Promise.reject(error);
  },
};

/**
 * Stands between the root key, which it depends on, and the bucket, which depends on it: so a destroy comes to it after
 * the bucket and before the key, and fails here unless the backups were given up.
 */
export class RootKeyLock extends pulumi.dynamic.Resource {
  constructor(name: string, args: RootKeyLockArgs, opts?: pulumi.CustomResourceOptions) {
    super(rootKeyLockProvider, name, { ...args }, opts, "s3", "RootKeyLock");
  }
}
