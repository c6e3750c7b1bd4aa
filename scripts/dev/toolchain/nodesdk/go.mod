module secure-backups/toolchain/nodesdk

go 1.26.0
