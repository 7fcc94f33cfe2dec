// The tour with HashiCorp's Go client and, built with the tag "openbao", with OpenBao's: the same program on both.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

var client = withToken(os.Getenv("VAULT_TOKEN"))

func main() {
	steps := []struct {
		name string
		walk func()
	}{
		{"login", login}, {"mounts", mounts}, {"keys", keys}, {"kms", kms}, {"copies", copies}, {"tokens", tokens},
		{"policies", policies}, {"namespaces", namespaces}, {"wrapping", wrapping}, {"approle", approle}, {"system", system},
	}
	for _, step := range steps {
		step.walk()
		fmt.Println("ok", step.name)
	}
}

func login() {
	same(must(client.Auth().Token().LookupSelf()).Data["policies"], []any{"root"})
	refused(http.StatusForbidden, "permission denied", second(withToken("wrong").Logical().Read("keymgmt/key/none")))
	health := must(client.Sys().Health())
	same([]bool{health.Initialized, health.Sealed, health.Standby}, []bool{true, false, false})
	same(must(client.Sys().SealStatus()).Sealed, false)
	same(must(client.Sys().InitStatus()), true)
	same(must(client.Sys().Leader()).HAEnabled, false)
	same(strings.Contains(must(client.Help("keymgmt/key/orders")).Help, "key"), true)
}

func mounts() {
	input := &MountInput{Type: "keymgmt", Description: "a tour", Config: MountConfigInput{MaxLeaseTTL: "2h"}}
	check(client.Sys().Mount("tour", input))
	same(must(client.Sys().ListMounts())["tour/"].Description, "a tour")
	description := "tuned"
	check(client.Sys().TuneMount("tour", MountConfigInput{Description: &description, DefaultLeaseTTL: "1h"}))
	config := must(client.Sys().MountConfig("tour"))
	same([]int{config.DefaultLeaseTTL, config.MaxLeaseTTL}, []int{3600, 7200})
	same(must(client.Sys().ListMounts())["tour/"].Description, "tuned")
	check(client.Sys().Unmount("tour"))
	refused(http.StatusNotFound, "no handler for route", second(client.Logical().Write("tour/key/k", nil)))
}

func keys() {
	same(read("keymgmt/key/none") == nil, true)
	same(list("keymgmt/key") == nil, true)
	write("keymgmt/key/orders", map[string]any{"type": "rsa-3072"})
	write("keymgmt/key/card", map[string]any{"type": "ecdsa-p256"})
	same(list("keymgmt/key"), []string{"card", "orders"})
	key := read("keymgmt/key/orders")
	same([]any{key["type"], key["latest_version"], key["deletion_allowed"]}, []any{"rsa-3072", json.Number("1"), false})
	same(strings.HasPrefix(versions(key)["1"].(map[string]any)["public_key"].(string), "-----BEGIN PUBLIC KEY-----\n"), true)
	write("keymgmt/key/card/rotate", nil)
	write("keymgmt/key/card", map[string]any{"min_enabled_version": 2})
	same(names(versions(read("keymgmt/key/card"))), []string{"2"})
	refused(http.StatusBadRequest, "deletion_allowed", second(client.Logical().Delete("keymgmt/key/card")))
	write("keymgmt/key/card", map[string]any{"deletion_allowed": "true"})
	remove("keymgmt/key/card")
	remove("keymgmt/key/card")
	same(read("keymgmt/key/card") == nil, true)
	odd := map[string]any{"type": "rsa-1024"}
	refused(http.StatusBadRequest, "unsupported key type", second(client.Logical().Write("keymgmt/key/odd", odd)))
}

func kms() {
	credentials := map[string]any{}
	for _, name := range []string{"tenant_id", "client_id", "client_secret"} {
		credentials[name] = os.Getenv("AZURE_" + strings.ToUpper(name))
	}
	vault := os.Getenv("KEY_VAULT_NAME")
	write("keymgmt/kms/prod", map[string]any{"provider": "azurekeyvault", "key_collection": vault, "credentials": credentials})
	shown := read("keymgmt/kms/prod")
	same([]any{shown["provider"], shown["key_collection"]}, []any{"azurekeyvault", vault})
	same(strings.Contains(fmt.Sprint(shown), os.Getenv("AZURE_CLIENT_SECRET")), false)
	same(list("keymgmt/kms"), []string{"prod"})
	write("keymgmt/kms/prod", map[string]any{"provider": "azurekeyvault", "credentials": credentials})
	other := map[string]any{"key_collection": "another"}
	refused(http.StatusBadRequest, "cannot be changed", second(client.Logical().Write("keymgmt/kms/prod", other)))
}

func copies() {
	write("keymgmt/kms/prod/key/orders", map[string]any{"purpose": []string{"encrypt", "decrypt"}, "protection": "hsm"})
	found := read("keymgmt/kms/prod/key/orders")
	same([]any{found["purpose"], found["protection"]}, []any{"decrypt,encrypt", "hsm"})
	same(names(versions(found)), []string{"1"})
	same(regexp.MustCompile(`^orders-\d+$`).MatchString(found["name"].(string)), true)
	same(list("keymgmt/kms/prod/key"), []string{"orders"})
	same(list("keymgmt/key/orders/kms"), []string{"prod"})
	write("keymgmt/key/orders/rotate", map[string]any{})
	rotated := read("keymgmt/kms/prod/key/orders")
	same(rotated["name"], found["name"])
	same(names(versions(rotated)), []string{"1", "2"})
	refused(http.StatusBadRequest, "1 key", second(client.Logical().Delete("keymgmt/kms/prod")))
	remove("keymgmt/kms/prod/key/orders")
	same(read("keymgmt/kms/prod/key/orders") == nil, true)
	same(read("keymgmt/key/orders")["latest_version"], json.Number("2"))
	remove("keymgmt/kms/prod")
	write("keymgmt/key/orders", map[string]any{"deletion_allowed": true})
	remove("keymgmt/key/orders")
}

func tokens() {
	token := client.Auth().Token()
	request := &TokenCreateRequest{
		Policies: []string{"default"}, TTL: "1h", DisplayName: "tour", Metadata: map[string]string{"team": "a"},
	}
	made := must(token.Create(request)).Auth
	same(made.LeaseDuration, 3600)
	found := must(token.Lookup(made.ClientToken))
	same([]any{found.Data["meta"], must(found.TokenPolicies())}, []any{map[string]any{"team": "a"}, []string{"default"}})
	same(must(found.TokenTTL()) > 59*time.Minute, true)
	same(must(token.LookupAccessor(made.Accessor)).Data["id"], "")
	same(slices.Contains(list("auth/token/accessors"), made.Accessor), true)
	same(must(token.Renew(made.ClientToken, 1800)).Auth.ClientToken, made.ClientToken)
	same(must(withToken(made.ClientToken).Auth().Token().RenewSelf(0)).Auth.Renewable, true)
	check(token.RevokeTree(made.ClientToken))
	refused(http.StatusForbidden, "permission denied", second(withToken(made.ClientToken).Auth().Token().LookupSelf()))
	other := must(token.CreateOrphan(&TokenCreateRequest{Policies: []string{"default"}, TTL: "1h"})).Auth
	same(must(token.Lookup(other.ClientToken)).Data["orphan"], true)
	check(token.RevokeAccessor(other.Accessor))
	refused(http.StatusForbidden, "permission denied", second(withToken(other.ClientToken).Auth().Token().LookupSelf()))
}

func policies() {
	const rules = `
		path "keymgmt/key/*" { capabilities = ["read", "create"] }
		path "keymgmt/key/closed" { capabilities = ["deny"] }`
	check(client.Sys().PutPolicy("tour", rules))
	same(strings.TrimSpace(must(client.Sys().GetPolicy("tour"))), strings.TrimSpace(rules))
	same(slices.Contains(must(client.Sys().ListPolicies()), "tour"), true)
	made := must(client.Auth().Token().Create(&TokenCreateRequest{Policies: []string{"tour"}, TTL: "5m"})).Auth
	child := withToken(made.ClientToken)
	must(child.Logical().Write("keymgmt/key/open", map[string]any{"type": "aes256-gcm96"}))
	write("keymgmt/key/closed", map[string]any{"type": "aes256-gcm96"})
	same(must(child.Logical().Read("keymgmt/key/open")).Data["name"], "open")
	refused(http.StatusForbidden, "permission denied", second(child.Logical().Read("keymgmt/key/closed")))
	refused(http.StatusForbidden, "permission denied", second(child.Logical().Delete("keymgmt/key/open")))
	refused(http.StatusForbidden, "permission denied", second(child.Logical().Write("keymgmt/key/open", nil)))
	able := must(child.Sys().CapabilitiesSelf("keymgmt/key/open"))
	slices.Sort(able)
	same(able, []string{"create", "read"})
	same(must(client.Sys().Capabilities(made.ClientToken, "keymgmt/key/closed")), []string{"deny"})
	check(client.Sys().DeletePolicy("tour"))
	refused(http.StatusForbidden, "permission denied", second(child.Logical().Read("keymgmt/key/open")))
}

func namespaces() {
	write("sys/namespaces/team", nil)
	same(list("sys/namespaces"), []string{"team/"})
	inside := client.WithNamespace("team")
	check(inside.Sys().Mount("keymgmt", &MountInput{Type: "keymgmt"}))
	must(inside.Logical().Write("keymgmt/key/theirs", map[string]any{"type": "aes256-gcm96"}))
	same(read("keymgmt/key/theirs") == nil, true)
	same(read("team/keymgmt/key/theirs")["name"], "theirs")
	made := must(inside.Auth().Token().Create(&TokenCreateRequest{Policies: []string{"default"}, TTL: "5m"})).Auth
	own := withToken(made.ClientToken)
	own.SetNamespace("team/")
	same(must(own.Auth().Token().LookupSelf()).Data["namespace_path"], "team/")
	same(must(client.Logical().Delete("sys/namespaces/team")).Data["status"], "in-progress")
	refused(http.StatusNotFound, "no handler for route", second(client.Logical().Write("team/keymgmt/key/theirs", nil)))
}

func wrapping() {
	write("keymgmt/key/wrapped", map[string]any{"type": "ecdsa-p384"})
	wrapper := withToken(os.Getenv("VAULT_TOKEN"))
	wrapper.SetWrappingLookupFunc(func(operation, path string) string { return "60s" })
	info := must(wrapper.Logical().Read("keymgmt/key/wrapped")).WrapInfo
	same([]any{info.TTL, info.CreationPath}, []any{60, "keymgmt/key/wrapped"})
	same(must(client.Logical().Unwrap(info.Token)).Data["type"], "ecdsa-p384")
	refused(http.StatusBadRequest, "wrapping token", second(client.Logical().Unwrap(info.Token)))
	info = must(wrapper.Auth().Token().Create(&TokenCreateRequest{Policies: []string{"default"}, TTL: "5m"})).WrapInfo
	unwrapped := must(withToken("").Logical().Unwrap(info.Token))
	same(must(unwrapped.TokenAccessor()), info.WrappedAccessor)
}

func approle() {
	check(client.Sys().EnableAuthWithOptions("approle", &EnableAuthOptions{Type: "approle"}))
	same(must(client.Sys().ListAuth())["approle/"].Type, "approle")
	check(client.Sys().PutPolicy("robot", `path "keymgmt/key" { capabilities = ["list"] }`))
	write("auth/approle/role/robot", map[string]any{"token_policies": "robot", "token_ttl": "10m"})
	same(list("auth/approle/role"), []string{"robot"})
	role := read("auth/approle/role/robot/role-id")["role_id"]
	secret := write("auth/approle/role/robot/secret-id", nil)["secret_id"]
	robot := withToken("")
	wrong := map[string]any{"role_id": role, "secret_id": "wrong"}
	refused(http.StatusBadRequest, "invalid role or secret ID", second(robot.Logical().Write("auth/approle/login", wrong)))
	found := must(robot.Logical().Write("auth/approle/login", map[string]any{"role_id": role, "secret_id": secret})).Auth
	same([]any{found.LeaseDuration, found.Policies}, []any{600, []string{"default", "robot"}})
	robot.SetToken(found.ClientToken)
	same(slices.Contains(keysOf(must(robot.Logical().List("keymgmt/key"))), "wrapped"), true)
	check(robot.Auth().Token().RevokeSelf(""))
	refused(http.StatusForbidden, "permission denied", second(robot.Logical().List("keymgmt/key")))
	check(client.Sys().DisableAuth("approle"))
}

func system() {
	check(client.Sys().Mount("here", &MountInput{Type: "keymgmt"}))
	write("here/key/k", map[string]any{"type": "aes256-gcm96"})
	check(client.Sys().Remount("here", "moved/there"))
	same(read("moved/there/key/k")["name"], "k")
	refused(http.StatusNotFound, "no handler for route", second(client.Logical().Write("here/key/k", nil)))
	same(len(must(client.Sys().ListAudit())), 0)
	same(read("sys/internal/ui/mounts/keymgmt")["path"], "keymgmt/")
	ofItsOwn()
}

// A client with the library's own settings, which read VAULT_ADDR.
func withToken(token string) *Client {
	made := must(NewClient(DefaultConfig()))
	made.SetToken(token)
	return made
}

// Gives the data at a path, nil where there is nothing.
func read(path string) map[string]any {
	return dataOf(must(client.Logical().Read(path)))
}

// Writes; gives the data of the answer, nil where it has none.
func write(path string, data map[string]any) map[string]any {
	return dataOf(must(client.Logical().Write(path, data)))
}

func remove(path string) {
	must(client.Logical().Delete(path))
}

// Gives the names in a list, nil where there are none.
func list(path string) []string {
	return keysOf(must(client.Logical().List(path)))
}

func dataOf(secret *Secret) map[string]any {
	if secret == nil {
		return nil
	}
	return secret.Data
}

func keysOf(secret *Secret) []string {
	var found []string
	if secret != nil {
		for _, name := range secret.Data["keys"].([]any) {
			found = append(found, name.(string))
		}
	}
	return found
}

func versions(data map[string]any) map[string]any {
	return data["versions"].(map[string]any)
}

func names(data map[string]any) []string {
	var found []string
	for name := range data {
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func second[T any](_ T, err error) error {
	return err
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func same(found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Sprintf("%#v is not %#v", found, expected))
	}
}

// That a call was refused with this status, in words that match.
func refused(status int, words string, err error) {
	var response *ResponseError
	if !errors.As(err, &response) || response.StatusCode != status || !strings.Contains(err.Error(), words) {
		panic(fmt.Sprintf("not refused with %d and %q: %v", status, words, err))
	}
}
