# Read by start, test, check and bench: finds or gets the pinned Bun (sets BUN) and the packages of bun.lock. POSIX sh.
# Needs git's checkout, a shell, and either npm or a Bun of the same minor version. ROOT is set by the reader.

PINNED=$(sed -n 's/.*"packageManager": *"bun@\([0-9][0-9.]*\)".*/\1/p' "$ROOT/package.json")

fail() {
  echo "parley: $*" >&2
  exit 1
}

is_pinned() {
  [ -n "$1" ] && [ "$("$1" --version 2>/dev/null)" = "$PINNED" ]
}

find_bun() {
  for candidate in "$ROOT/.bun/node_modules/bun/bin/bun.exe" "$(command -v bun 2>/dev/null)"; do
    if is_pinned "$candidate"; then
      BUN=$candidate
      return 0
    fi
  done
  return 1
}

get_bun() {
  [ -w "$ROOT" ] || fail "no permission to write to $ROOT, where Bun $PINNED has to go"
  mkdir -p "$ROOT/.bun" || fail "cannot make $ROOT/.bun"
  [ -f "$ROOT/.bun/package.json" ] || echo '{"private":true}' >"$ROOT/.bun/package.json"
  if command -v npm >/dev/null 2>&1; then
    echo "parley: getting Bun $PINNED with npm" >&2
    said=$(npm install --prefix "$ROOT/.bun" --no-audit --no-fund --loglevel=error "bun@$PINNED" 2>&1)
  elif command -v bun >/dev/null 2>&1; then
    echo "parley: getting Bun $PINNED with Bun $(bun --version)" >&2
    said=$(cd "$ROOT/.bun" && bun add --exact --trust "bun@$PINNED" 2>&1)
  else
    fail "Bun $PINNED is needed and neither npm nor Bun is here to get it: install npm (on Debian: apt install npm)"
  fi || {
    echo "$said" >&2
    fail "Bun $PINNED could not be got; is there a network?"
  }
  find_bun || fail "Bun $PINNED was installed but does not run on this machine: $("$ROOT/.bun/node_modules/bun/bin/bun.exe" --version 2>&1 | head -n 1)"
}

get_packages() {
  stamp=$(cat "$ROOT/bun.lock" "$ROOT/package.json" | cksum)
  [ "$(cat "$ROOT/node_modules/.parley-stamp" 2>/dev/null)" = "$stamp" ] && return 0
  [ -w "$ROOT" ] || fail "no permission to write to $ROOT, where the packages have to go"
  echo "parley: getting packages" >&2
  said=$(cd "$ROOT" && "$BUN" install --frozen-lockfile 2>&1) || {
    echo "$said" >&2
    fail "the packages could not be got; is there a network?"
  }
  echo "$stamp" >"$ROOT/node_modules/.parley-stamp"
}

[ -n "$PINNED" ] || fail "package.json names no Bun version (packageManager)"
find_bun || get_bun
get_packages
