#!/bin/sh
# Prints the master key, which a key pair in a hardware security module (PKCS#11) protects: docs/at-rest.md.
# unwrap-master-key.sh MODULE TOKEN WRAPPED PIN-FILE
set -eu
module=$1 token=$2 wrapped=$3
PIN=$(cat "$4")
export PIN # by the environment, since other users of the machine may see arguments
exec pkcs11-tool --module "$module" --token-label "$token" --login --pin env:PIN --id 01 \
    --decrypt --mechanism RSA-PKCS-OAEP --hash-algorithm SHA-1 --input-file "$wrapped"
