# SPDX-License-Identifier: GPL-2.0-only
# Lets lua5.3 find the checkout's libraries and the native module that `make user` built. Sourced by bash after lunatik.sh;
# skips the test where it was not built.
# shellcheck shell=bash

for NATIVE in /add/user "$HERE/../build/user" ""; do
	[[ ! -e $NATIVE/lunatik/native.so ]] || break
done
[[ $NATIVE ]] || skip_all "the native module is not built: make user"
USER_LUA=$(cd "$HERE/../lua/user" && pwd)
export LUA_PATH_5_3="$USER_LUA/?.lua;;" LUA_CPATH_5_3="$NATIVE/?.so;;"
