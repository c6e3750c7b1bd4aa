// Package nodesdk reads from the Node SDK of a Pulumi provider which tokens and properties a plugin must serve, so that
// the tests of our plugins compare themselves with the official packages.
package nodesdk

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Shape says for each property, by its path, what it is: "string", "number", "boolean", "any" or "object", each followed
// by "[]" for a list or "{}" for a map. The members of an object have paths below its own, such as "segments.mtu".
type Shape map[string]string

// SDK is what one package declares.
type SDK struct {
	// Version is the version of the package.
	Version string
	// Resources has, by token, the properties of a resource's state.
	Resources map[string]Shape
	// Inputs has, by token, the properties of a resource's arguments.
	Inputs map[string]Shape
	// Functions has, by token, the properties of a function's result.
	Functions map[string]Shape
}

var (
	resourceToken = regexp.MustCompile(`__pulumiType = '([^':]+:[^':]+:(\w+))'`)
	functionToken = regexp.MustCompile(`function (\w+)\([^{]*\{(?:[^}]|\}[^}])*?\.invoke\("([^"]+)"`)
	comment       = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	packed        = regexp.MustCompile(`\s+|readonly |pulumi\.Input<|>`)
	declaration   = regexp.MustCompile(`(?:^|[;{}])(?:export)?(?:declare)?(interface|namespace)(\w+)\{`)
	nested        = regexp.MustCompile(`^(?:inputs|outputs)\.([\w.]+)$`)
	versionField  = regexp.MustCompile(`"version": "v?([^"]+)"`)
)

// Load reads the package @pulumi/NAME below a node_modules folder.
func Load(nodeModules, name string) (*SDK, error) {
	root := filepath.Join(nodeModules, "@pulumi", name)
	manifest, err := os.ReadFile(filepath.Join(root, "package.json"))
	if err != nil {
		return nil, fmt.Errorf("the Node SDK is not installed, run npm ci: %w", err)
	}
	version := versionField.FindSubmatch(manifest)
	if version == nil {
		return nil, errors.New("package.json has no version")
	}
	sdk := &SDK{
		Version:   string(version[1]),
		Resources: map[string]Shape{}, Inputs: map[string]Shape{}, Functions: map[string]Shape{},
	}
	types := map[string]string{}
	for _, direction := range []string{"input", "output"} {
		text, err := os.ReadFile(filepath.Join(root, "types", direction+".d.ts"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(types, declared(string(text), direction+"s."))
	}
	return sdk, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".js" {
			return nil
		}
		return sdk.read(path, types)
	})
}

// read adds what one file declares.
func (sdk *SDK) read(path string, types map[string]string) error {
	code, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	resources := resourceToken.FindAllStringSubmatch(string(code), -1)
	functions := functionToken.FindAllStringSubmatch(string(code), -1)
	if len(resources)+len(functions) == 0 {
		return nil
	}
	text, err := os.ReadFile(strings.TrimSuffix(path, ".js") + ".d.ts")
	if err != nil {
		return err
	}
	own := declared(string(text), "")
	for _, match := range resources {
		token, class := match[1], match[2]
		state, found := own[class+"State"]
		if !found {
			state = properties(string(text), class)
		}
		sdk.Resources[token] = shape(state, types)
		sdk.Inputs[token] = shape(own[class+"Args"], types)
	}
	for _, match := range functions {
		result, found := own[strings.ToUpper(match[1][:1])+match[1][1:]+"Result"]
		if !found {
			return fmt.Errorf("%s: no result of %s", path, match[1])
		}
		sdk.Functions[match[2]] = shape(result, types)
	}
	return nil
}

// properties returns the body of an interface made of the properties of a class, for a resource without a state type.
func properties(text, class string) string {
	property := regexp.MustCompile(`(?s)readonly (\w+): pulumi\.Output<(.*?)>;\n`)
	_, body, _ := strings.Cut(comment.ReplaceAllString(text, ""), "class "+class+" ")
	var out strings.Builder
	for _, match := range property.FindAllStringSubmatch(body, -1) {
		fmt.Fprintf(&out, "%s:%s;", match[1], packed.ReplaceAllString(match[2], ""))
	}
	return out.String()
}

// declared returns the bodies of the interfaces in a declaration file, without comments and white space, by their
// names; those in a namespace have its name before their own.
func declared(text, prefix string) map[string]string {
	bodies := map[string]string{}
	collect(packed.ReplaceAllString(comment.ReplaceAllString(text, ""), ""), prefix, bodies)
	return bodies
}

func collect(text, prefix string, bodies map[string]string) {
	for {
		at := declaration.FindStringSubmatchIndex(text)
		if at == nil {
			return
		}
		body, rest := braced(text[at[1]:])
		name := prefix + text[at[4]:at[5]]
		if text[at[2]:at[3]] == "namespace" {
			collect(body, name+".", bodies)
		} else {
			bodies[name] = body
		}
		text = ";" + rest
	}
}

// braced splits a text that begins inside a pair of braces into what they enclose and what follows.
func braced(text string) (body, rest string) {
	for depth, i := 1, 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

func shape(body string, types map[string]string) Shape {
	result := Shape{}
	describe(body, "", types, result)
	return result
}

func describe(body, prefix string, types map[string]string, into Shape) {
	for len(body) > 0 {
		name, rest, found := strings.Cut(body, ":")
		if !found {
			return
		}
		var kind string
		if strings.HasPrefix(rest, "{") {
			inner, after := braced(rest[1:])
			suffix, next, _ := strings.Cut(after, ";")
			element := strings.TrimPrefix(inner, "[key:string]:")
			kind, body = strings.TrimSuffix(element, ";")+"{}"+suffix, next
		} else {
			kind, body, _ = strings.Cut(rest, ";")
		}
		kind = strings.Replace(kind, "|undefined", "", 1)
		path := prefix + strings.TrimSuffix(name, "?")
		base := strings.TrimRight(kind, "[]{}")
		if nested.MatchString(base) {
			into[path] = "object" + kind[len(base):]
			describe(types[base], path+".", types, into)
		} else {
			into[path] = kind
		}
	}
}

// Compare lists how a plugin's shape differs from the SDK's; elements of maps are not compared, since the SDK calls
// many of them "any".
func Compare(name string, sdk, plugin Shape) []string {
	var differences []string
	for _, path := range slices.Sorted(maps.Keys(sdk)) {
		have, found := plugin[path]
		if !found {
			differences = append(differences, fmt.Sprintf("%s: %s is missing", name, path))
		} else if plain(have) != plain(sdk[path]) {
			differences = append(differences, fmt.Sprintf("%s: %s is %s, not %s", name, path, have, sdk[path]))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(plugin)) {
		if _, found := sdk[path]; !found {
			differences = append(differences, fmt.Sprintf("%s: %s is unknown to the SDK", name, path))
		}
	}
	return differences
}

var mapElement = regexp.MustCompile(`^\w+\{\}`)

func plain(kind string) string { return mapElement.ReplaceAllString(kind, "any{}") }
