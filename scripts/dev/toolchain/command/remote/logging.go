package remote

import "github.com/pulumi/pulumi-go-provider/infer"

// Logging says which of a command's outputs are logged. The schema names the type after this package, so the local
// command has one of its own.
type Logging string

// The values of Logging; the default is LogBoth.
const (
	LogStdout Logging = "stdout"
	LogStderr Logging = "stderr"
	LogBoth   Logging = "stdoutAndStderr"
	LogNone   Logging = "none"
)

// Values lists the values for the schema.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: string(LogStdout), Value: LogStdout, Description: "Log stdout, not stderr."},
		{Name: string(LogStderr), Value: LogStderr, Description: "Log stderr, not stdout."},
		{Name: string(LogBoth), Value: LogBoth, Description: "Log stdout and stderr."},
		{Name: string(LogNone), Value: LogNone, Description: "Log nothing."},
	}
}

func (l *Logging) stdout() bool { return l == nil || *l == LogStdout || *l == LogBoth }
func (l *Logging) stderr() bool { return l == nil || *l == LogStderr || *l == LogBoth }
