package command

// Kind says what the value of an argument or flag names, so that shells can complete it.
type Kind int

// The kinds. Those that are part of something take it from the argument or flag of the same command that Parent tells.
const (
	Contexts     Kind = iota + 1 // named contexts
	Streams                      // streams
	Consumers                    // consumers of a stream
	Subjects                     // subjects with messages in a stream
	Buckets                      // key-value buckets
	Keys                         // keys of a bucket that have a value
	ObjectStores                 // object store buckets
	Objects                      // objects of a bucket
	Counters                     // subjects of counters
	Services                     // micro services
	Instances                    // ids of the instances of a service
	Endpoints                    // endpoints of a service
	Plugins                      // registered plugins
	Devices                      // ids of the registered devices of a fleet
)

// Names says which arguments and flags of a verb name something that exists, by their own names without dashes. What is to
// be made has no entry, since its name is free.
type Names map[string]Kind

// Parent is the argument or flag that names what a thing of this kind is part of; empty for those that stand alone.
func (k Kind) Parent() string {
	switch k {
	case Consumers, Subjects:
		return "stream"
	case Keys, Objects:
		return "bucket"
	case Instances, Endpoints:
		return "service"
	}
	return ""
}

// Remote reports whether a server has to be asked.
func (k Kind) Remote() bool { return k != Contexts && k != Plugins }
