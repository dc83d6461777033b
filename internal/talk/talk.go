// Package talk makes the hub of the talk "Rethinking Connectivity at the Edge": an operator, a system account, an account
// for the tenant, and users of it whose credentials can be revoked.
package talk

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// Users are the users of the tenant's account; each has a credentials file of its name.
var Users = []string{"ops", "device", "leaf"}

// keys are what is needed to change the account later; kept in world.json beside the credentials.
type keys struct {
	Operator string            `json:"operator"` // seed
	Account  string            `json:"account"`  // JWT as it was last written
	Users    map[string]string `json:"users"`    // public keys
}

// Make writes into dir, which it makes with mode 0700: hub.conf, the configuration of a server in JetStream domain "cloud" that
// knows the accounts and listens for clients, websockets and leaf nodes on free ports; a credentials file NAME.creds for each
// of Users and for sys, a user of the system account; account.jwt; and world.json, which Revoke needs.
func Make(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	operatorKey, operator, err := pair(nkeys.CreateOperator)
	if err != nil {
		return err
	}
	sysKey, sys, err := pair(nkeys.CreateAccount)
	if err != nil {
		return err
	}
	accountKey, account, err := pair(nkeys.CreateAccount)
	if err != nil {
		return err
	}
	oc, sc, ac := jwt.NewOperatorClaims(operator), jwt.NewAccountClaims(sys), jwt.NewAccountClaims(account)
	oc.Name, oc.SystemAccount, sc.Name, ac.Name = "talk", sys, "SYS", "TENANT"
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	tokens := make([]string, 3)
	for i, c := range []jwt.Claims{oc, sc, ac} {
		if tokens[i], err = c.Encode(operatorKey); err != nil {
			return fmt.Errorf("JWT of %s: %w", c.Claims().Name, err)
		}
	}
	seed, err := operatorKey.Seed()
	if err != nil {
		return err
	}
	w := keys{Operator: string(seed), Account: tokens[2], Users: map[string]string{}}
	if _, err := user(dir, "sys", sysKey); err != nil {
		return err
	}
	for _, name := range Users {
		if w.Users[name], err = user(dir, name, accountKey); err != nil {
			return err
		}
	}
	conf := fmt.Sprintf(`server_name: hub
listen: "127.0.0.1:-1"
websocket { listen: "127.0.0.1:-1", no_tls: true }
leafnodes { listen: "127.0.0.1:-1" }
jetstream { domain: cloud, store_dir: %q }
operator: %q
system_account: %q
resolver { type: full, dir: %q }
resolver_preload { %s: %q, %s: %q }
`, filepath.Join(dir, "hub"), tokens[0], sys, filepath.Join(dir, "accounts"), sys, tokens[1], account, tokens[2])
	if err := write(dir, "hub.conf", conf); err != nil {
		return err
	}
	return w.save(dir)
}

// Revoke writes account.jwt anew, with the credentials of the user revoked, or with nothing revoked when name is empty. The hub
// learns of it when the file is sent to $SYS.REQ.CLAIMS.UPDATE as a user of the system account.
func Revoke(dir, name string) error {
	text, err := os.ReadFile(filepath.Join(dir, "world.json"))
	if err != nil {
		return err
	}
	var w keys
	if err := json.Unmarshal(text, &w); err != nil {
		return fmt.Errorf("%s/world.json: %w", dir, err)
	}
	ac, err := jwt.DecodeAccountClaims(w.Account)
	if err != nil {
		return fmt.Errorf("%s/world.json: %w", dir, err)
	}
	ac.Revocations = nil
	if name != "" {
		public, ok := w.Users[name]
		if !ok {
			return fmt.Errorf("no user %q: there are %v", name, Users)
		}
		ac.Revoke(public)
	}
	operator, err := nkeys.FromSeed([]byte(w.Operator))
	if err != nil {
		return fmt.Errorf("%s/world.json: %w", dir, err)
	}
	if w.Account, err = ac.Encode(operator); err != nil {
		return fmt.Errorf("JWT of the account: %w", err)
	}
	return w.save(dir)
}

func (w keys) save(dir string) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if err := write(dir, "account.jwt", w.Account); err != nil {
		return err
	}
	return write(dir, "world.json", string(text))
}

func pair(create func() (nkeys.KeyPair, error)) (key nkeys.KeyPair, public string, err error) {
	if key, err = create(); err == nil {
		public, err = key.PublicKey()
	}
	return key, public, err
}

// user writes the credentials of a new user of the account and returns its public key.
func user(dir, name string, account nkeys.KeyPair) (string, error) {
	key, public, err := pair(nkeys.CreateUser)
	if err != nil {
		return "", err
	}
	uc := jwt.NewUserClaims(public)
	uc.Name = name
	token, err := uc.Encode(account)
	if err != nil {
		return "", fmt.Errorf("JWT of %s: %w", name, err)
	}
	seed, err := key.Seed()
	if err != nil {
		return "", err
	}
	text, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		return "", fmt.Errorf("credentials of %s: %w", name, err)
	}
	return public, write(dir, name+".creds", string(text))
}

func write(dir, name, text string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
}

// Main is the command line: make DIR, revoke DIR USER, or restore DIR.
func Main(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "make":
		return Make(args[1])
	case len(args) == 3 && args[0] == "revoke":
		return Revoke(args[1], args[2])
	case len(args) == 2 && args[0] == "restore":
		return Revoke(args[1], "")
	}
	return fmt.Errorf("usage: world make DIR | revoke DIR USER | restore DIR")
}
