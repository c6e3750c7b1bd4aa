// Package local implements the resource command:local:Command: a command that runs on this machine.
package local

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/gobwas/glob"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"secure-backups/toolchain/command/internal/execution"
)

// Command is the resource.
type Command struct{}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command that runs on this machine when the resource is created, updated or deleted.")
}

// CommandInputs are the resource's inputs.
type CommandInputs struct {
	execution.Steps
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	Interpreter            *[]string          `pulumi:"interpreter,optional"`
	Dir                    *string            `pulumi:"dir,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	AssetPaths             *[]string          `pulumi:"assetPaths,optional"`
	ArchivePaths           *[]string          `pulumi:"archivePaths,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
}

// Annotate describes the inputs in the schema.
func (c *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&c.Stdin, "Standard input of the command.")
	a.Describe(&c.Logging, "Which outputs are logged; default both.")
	a.Describe(&c.Interpreter, "Program and arguments that run the command; default /bin/sh -c.")
	a.Describe(&c.Dir, "Directory to run in; default the program's.")
	a.Describe(&c.Environment, "Environment variables.")
	a.Describe(&c.AssetPaths, "Globs of files to return as assets; the last that matches counts, ! excludes.")
	a.Describe(&c.ArchivePaths, "Globs of files to return as one archive; the last that matches counts, ! excludes.")
	a.Describe(&c.AddPreviousOutputInEnv,
		"Whether a run gets the output of the one before it in PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR; "+
			"default true.")
}

// Output is what the last run printed and left behind.
type Output struct {
	Stdout  string                            `pulumi:"stdout"`
	Stderr  string                            `pulumi:"stderr"`
	Assets  *map[string]*types.AssetOrArchive `pulumi:"assets,optional"`
	Archive *resource.Archive                 `pulumi:"archive,optional"`
}

// Annotate describes the outputs in the schema.
func (o *Output) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "Standard output of the last run.")
	a.Describe(&o.Stderr, "Standard error of the last run.")
	a.Describe(&o.Assets, "The files that assetPaths found, by their path below the directory.")
	a.Describe(&o.Archive, "The files that archivePaths found.")
}

// CommandState is what the engine keeps of the resource.
type CommandState struct {
	CommandInputs
	Output
}

// Create runs the create command; a preview only makes up an identifier.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandState], error) {
	state := CommandState{CommandInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && req.Inputs.Create != nil {
		err = state.run(ctx, *req.Inputs.Create)
	}
	return infer.CreateResponse[CommandState]{ID: id, Output: state}, err
}

// Update runs the update command, or else the create command.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandState],
) (infer.UpdateResponse[CommandState], error) {
	state := CommandState{CommandInputs: req.Inputs, Output: req.State.Output}
	var err error
	if command := req.Inputs.OnUpdate(); !req.DryRun && command != nil {
		err = state.run(ctx, *command)
	}
	return infer.UpdateResponse[CommandState]{Output: state}, err
}

// Delete runs the delete command.
func (*Command) Delete(ctx context.Context, req infer.DeleteRequest[CommandState]) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	return infer.DeleteResponse{}, req.State.run(ctx, *req.State.Delete)
}

// run executes command and, if it succeeds, keeps its output and the files asked for.
func (s *CommandState) run(ctx context.Context, command string) error {
	args := []string{"/bin/sh", "-c"}
	if s.Interpreter != nil && len(*s.Interpreter) > 0 {
		args = *s.Interpreter
	}
	args = append(args[:len(args):len(args)], command)
	process := exec.CommandContext(ctx, args[0], args[1:]...)

	var err error
	if s.Dir != nil {
		process.Dir = *s.Dir
	} else if process.Dir, err = os.Getwd(); err != nil {
		return err
	}
	process.Env = os.Environ()
	if s.Environment != nil {
		for key, value := range *s.Environment {
			process.Env = append(process.Env, key+"="+value)
		}
	}
	if s.AddPreviousOutputInEnv == nil || *s.AddPreviousOutputInEnv {
		if s.Stdout != "" {
			process.Env = append(process.Env, execution.PreviousStdout+"="+s.Stdout)
		}
		if s.Stderr != "" {
			process.Env = append(process.Env, execution.PreviousStderr+"="+s.Stderr)
		}
	}
	if s.Stdin != nil && *s.Stdin != "" {
		process.Stdin = strings.NewReader(*s.Stdin)
	}

	capture := execution.NewCapture(ctx, s.Logging.stdout(), s.Logging.stderr())
	process.Stdout, process.Stderr = capture.Stdout, capture.Stderr
	stdout, stderr, err := capture.Close(command, process.Run())
	if err != nil {
		return err
	}

	if s.AssetPaths != nil {
		found, err := find(process.Dir, *s.AssetPaths)
		if err != nil {
			return err
		}
		assets := map[string]*types.AssetOrArchive{}
		for name, asset := range found {
			assets[name] = &types.AssetOrArchive{Asset: asset}
		}
		s.Assets = &assets
	}
	if s.ArchivePaths != nil {
		found, err := find(process.Dir, *s.ArchivePaths)
		if err != nil {
			return err
		}
		members := map[string]any{}
		for name, asset := range found {
			members[name] = asset
		}
		if s.Archive, err = resource.NewAssetArchive(members); err != nil {
			return err
		}
	}
	s.Stdout, s.Stderr = stdout, stderr
	return nil
}

// find returns the files below dir that the globs select, by their path relative to dir.
func find(dir string, globs []string) (map[string]*resource.Asset, error) {
	type rule struct {
		exclude bool
		match   glob.Glob
	}
	rules := make([]rule, len(globs))
	for i, text := range globs {
		pattern, exclude := strings.CutPrefix(text, "!")
		match, err := glob.Compile(pattern, '/')
		if err != nil {
			return nil, err
		}
		rules[i] = rule{exclude, match}
	}
	found := map[string]*resource.Asset{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		selected := false
		for _, rule := range rules {
			if rule.match.Match(name) {
				selected = !rule.exclude
			}
		}
		if !selected {
			return nil
		}
		found[name], err = resource.NewPathAsset(path.Join(dir, name))
		return err
	})
	return found, err
}
