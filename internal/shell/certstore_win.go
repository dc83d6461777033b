//go:build windows

package shell

import (
	"github.com/choria-io/fisk"

	"github.com/natskit/natskit/contexts"
)

// bindCertStore declares the flags for the Windows certificate store.
func bindCertStore(g *globals, app *fisk.Application) {
	add := func(name, help string) (*setting, *fisk.FlagClause) {
		s := &setting{key: contexts.Key(name)}
		g.settings = append(g.settings, s)
		return s, app.Flag(name, help).IsSetByUser(&s.set)
	}
	s, f := add("certstore", "Windows certificate store to read the client certificate from")
	f.PlaceHolder("TYPE").EnumVar(&s.value, "user", "windowscurrentuser", "machine", "windowslocalmachine")
	s, f = add("certstore-match", "What to look for in the certificate store")
	f.PlaceHolder("QUERY").StringVar(&s.value)
	s, f = add("certstore-match-by", "Which field of the certificate must match")
	f.PlaceHolder("FIELD").Default("subject").EnumVar(&s.value, "subject", "issuer")
	s, f = add("certstore-ca-match", "Authorities to trust from the certificate store")
	f.PlaceHolder("QUERY").StringsVar(&s.values)
}
