package contexts

import "slices"

// identity settles who we are. A user without a password is a token. Then, of the kinds of credentials, the one given most
// explicitly stays: --creds is not to be beaten by a password that happens to be in the context, and the credentials of the
// context are not for a server whose own were given with it. Kinds given equally explicitly all stay; the client ranks them.
// A token goes with any of them.
func (w *resolving) identity() error {
	w.userAsToken()
	user, pass := w.picks[KeyUser], w.picks[KeyPassword]
	if len(user.values) == 0 && len(pass.values) > 0 {
		delete(w.picks, KeyPassword)
		if name, _ := urlUser(w.picks[KeyServer].value()); name == "" {
			w.warn("the password (%s) is not used: there is no user to go with it", pass.from)
		}
	}
	top := w.strongest()
	w.keepStrongest(top)
	w.urlAgainst(top)
	return nil
}

// userAsToken applies to what was given on the command line or in the environment; in a context, a user is a user.
func (w *resolving) userAsToken() {
	user, pass := w.picks[KeyUser], w.picks[KeyPassword]
	if user.from.Kind <= FromContext || len(pass.values) > 0 && pass.from.Kind > FromContext {
		return
	}
	delete(w.picks, KeyUser)
	delete(w.picks, KeyPassword) // it belongs to the context's user
	if token := w.picks[KeyToken]; len(token.values) > 0 && token.from.Kind >= user.from.Kind {
		w.warn("%s is not used: a user without a password is a token, and %s is given", user.from, token.from)
		return
	}
	w.picks[KeyToken] = user
}

// kinds are the kinds of credentials with the settings that make them up.
func kinds() [][]Key {
	return [][]Key{{KeyUser, KeyPassword}, {KeyCreds}, {KeyNKey}, {KeyJWT, KeySeed}}
}

// rank is how explicitly a kind was given; a password or seed alone is no identity.
func (w *resolving) rank(kind []Key) OriginKind {
	var r OriginKind
	if len(w.picks[kind[0]].values) == 0 {
		return r
	}
	for _, k := range kind {
		if p := w.picks[k]; len(p.values) > 0 {
			r = max(r, p.from.Kind)
		}
	}
	return r
}

func (w *resolving) strongest() OriginKind {
	var top OriginKind
	for _, kind := range kinds() {
		top = max(top, w.rank(kind))
	}
	url := w.picks[KeyServer]
	if _, pair := urlUser(url.value()); pair {
		top = max(top, url.from.Kind)
	}
	return top
}

func (w *resolving) keepStrongest(top OriginKind) {
	for _, kind := range kinds() {
		if r := w.rank(kind); r == FromDefault || r == top {
			continue
		}
		for _, k := range kind {
			p, ok := w.picks[k]
			if ok && p.from.Kind == FromContext && top == FromEnv {
				w.beaten(k, w.envIdentity())
			}
			delete(w.picks, k)
		}
	}
}

// envIdentity is the variable that the identity came from.
func (w *resolving) envIdentity() Origin {
	for _, k := range slices.Concat(slices.Concat(kinds()...), []Key{KeyServer}) {
		if p := w.picks[k]; p.from.Kind == FromEnv && len(p.values) > 0 {
			return p.from
		}
	}
	return Origin{FromEnv, ""}
}

// urlAgainst settles the user in the URL against the others: the client would take the URL's and never look at them.
func (w *resolving) urlAgainst(top OriginKind) {
	url := w.picks[KeyServer]
	name, pair := urlUser(url.value())
	if name == "" && !pair {
		return
	}
	other := max(w.rank([]Key{KeyUser}), w.rank([]Key{KeyNKey}), w.rank([]Key{KeyToken}))
	if pair {
		other = max(other, top)
	}
	if other > url.from.Kind {
		w.picks[KeyServer] = picked{[]string{withoutUser(url.value())}, url.from}
		return
	}
	if allWithUser(url.value()) {
		for _, k := range []Key{KeyUser, KeyPassword, KeyNKey, KeyToken} {
			delete(w.picks, k)
		}
	}
}
