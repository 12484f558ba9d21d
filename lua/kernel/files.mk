# SPDX-License-Identifier: GPL-2.0-only
#
# The Lua core, its libraries and soft-float arithmetic in the module. Included by Kbuild.
#
# Input: LUNATIK_STAGE, the folder that lua/kernel/stage filled, below $(src). Output: lunatik-y, and for each object the
# compiler and the flags. Doubles need -msoft-float, which only clang has for x86-64, so these objects are built by clang
# whatever the kernel was built by; LUNATIK_CLANG names it.

LUNATIK_CLANG ?= clang
LUNATIK_STAGE ?= $(src)/build/lua

lua-stage := $(patsubst $(abspath $(src))/%,%,$(abspath $(LUNATIK_STAGE)))
lua-here := lua/kernel

LUA_CORE := lapi lcode lctype ldebug ldo lfunc lgc llex lmem lobject lopcodes lparser lstate lstring ltable ltm lvm lzio
LUA_LIBS := lauxlib lbaselib ldblib lmathlib lstrlib ltablib lutf8lib
LUA_OWN := copy init mathbits numbers oslib package port print

lua-objs := $(addprefix $(lua-stage)/lua/,$(addsuffix .o,$(LUA_CORE) $(LUA_LIBS)))
lua-objs += $(addprefix $(lua-here)/,$(addsuffix .o,$(LUA_OWN)))
lua-objs += $(addprefix src/lua/,coroutine.o file.o generation.o memlib.o mempack.o message.o operation.o shared.o shim.o timer.o)
softfloat-objs := $(lua-here)/softfloat/libcalls.o
setjmp-objs := $(lua-here)/arch/x86/setjmp.o

libm-objs := $(lua-stage)/libm/lunatik_math.o
# libm relies on wrapping arithmetic.
RUSTFLAGS_$(libm-objs) := -Coverflow-checks=n

lunatik-y += $(lua-objs) $(softfloat-objs) $(libm-objs) $(setjmp-objs)

lua-includes := -I$(src)/$(lua-here)/include -I$(src)/$(lua-here) -I$(src)/$(lua-stage)/lua
softfloat-source := $(src)/$(lua-stage)/softfloat
softfloat-includes := -I$(src)/$(lua-here)/softfloat -I$(src)/$(lua-here)/softfloat/include \
	-I$(softfloat-source)/8086-SSE -I$(softfloat-source)/include -I$(softfloat-source)

# Flags of the kernel's compiler that clang does not know, or that must not apply here:
#  - ftrace's entry hooks: longjmp would leave its return stack behind;
#  - zeroing of automatic variables and the stack protector: buffers on the C stack are many and hot, and Lua writes each
#    before it reads it;
lua-drop := -mpreferred-stack-boundary=3 -mindirect-branch=thunk-extern -mindirect-branch-register \
	-mindirect-branch-cs-prefix -fmin-function-alignment=16 -fconserve-stack -mrecord-mcount -pg -mfentry \
	-DCC_USING_FENTRY -DCC_USING_NOP_MCOUNT -mnop-mcount -fno-allow-store-data-races -Wvla-larger-than=1 \
	-ftrivial-auto-var-init=zero -fstack-protector-strong -fstack-protector \
	-fno-ipa-cp-clone -fno-partial-inlining -fzero-init-padding-bits=all -fmin-function-alignment=% \
	-falign-jumps=1 -falign-loops=1 -Wframe-larger-than=%

lua-cflags := -DLUNATIK_LIBM -ffreestanding -msoft-float -mno-80387 -O2 -fno-stack-protector -fno-strict-aliasing \
	-Wno-unknown-warning-option -Wno-unused-parameter -Wno-implicit-fallthrough -Wno-missing-prototypes \
	-Wno-missing-declarations -Wno-tautological-unsigned-zero-compare -Wno-declaration-after-statement \
	-Wno-unused-but-set-variable -Wno-enum-conversion -Wno-invalid-noreturn
ifndef CONFIG_UML
lua-cflags += --target=x86_64-linux-gnu -falign-functions=16 -mstack-alignment=8
ifdef CONFIG_MITIGATION_RETPOLINE
lua-cflags += -mretpoline-external-thunk -DLUNATIK_THUNK_DISPATCH
endif
endif

# Each object of Lua: its own flags and compiler. GCC's UBSAN flags are not clang's. KASAN stays, but not for the stack:
# longjmp would leave its redzones behind.
define lua-object
CFLAGS_REMOVE_$(1) := $$(lua-drop)
CFLAGS_$(1) := $(2)
UBSAN_SANITIZE_$(1) := n
KCOV_INSTRUMENT_$(1) := n
$$(obj)/$(1): private CC := $$(LUNATIK_CLANG)
$$(obj)/$(1): private CFLAGS_KASAN := $$(subst asan-stack=1,asan-stack=0,$$(CFLAGS_KASAN))
endef
$(foreach o,$(lua-objs),$(eval $(call lua-object,$(o),$$(lua-cflags) $$(lua-includes))))
$(foreach o,$(softfloat-objs),$(eval $(call lua-object,$(o),$$(softfloat-includes) $$(lua-cflags))))
