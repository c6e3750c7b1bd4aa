import { bucketPolicies, type BucketPolicyArgs } from "../../plan/bucket-policy";

/** The strongest form of the bucket policy as JSON. */
export const strongestPolicy = (args: BucketPolicyArgs): string => bucketPolicies(args)[0].policy;
