package meter

// Join adds the report of another machine that did its part of the same run. The timelines of machines are not put together.
func (r *Report) Join(o *Report) {
	if o.Outcome != Complete {
		r.Outcome = o.Outcome
	}
	r.Errors = append(r.Errors, o.Errors...)
	r.Notes = append(r.Notes, o.Notes...)
	r.Timeline = nil
	for i := range o.Sides {
		if i >= len(r.Sides) {
			r.Sides = append(r.Sides, o.Sides[i])
			continue
		}
		s := &r.Sides[i]
		s.Clients = append(s.Clients, o.Sides[i].Clients...)
		account := s.Total.Delivery
		s.Sum()
		if other := o.Sides[i].Total.Delivery; s.Total.Delivery == nil && account != nil && other != nil { // of each machine's clients together
			account.Merge(*other)
			s.Total.Delivery = account
		}
		for k := range min(len(s.Steps), len(o.Sides[i].Steps)) {
			s.Steps[k].join(o.Sides[i].Steps[k])
		}
	}
}

func (st *Step) join(o Step) {
	st.Messages += o.Messages
	st.Rate += o.Rate
	var h Hist
	covers := mergeLatency(&h, o.Latency, mergeLatency(&h, st.Latency, ""))
	st.Latency = Summarize(&h, covers)
}
