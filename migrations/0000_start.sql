CREATE TABLE `auth_mounts` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`path` text NOT NULL,
	`type` text NOT NULL,
	`accessor` text NOT NULL,
	`description` text NOT NULL,
	`tune` text NOT NULL,
	`config` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `auth_mounts_path` ON `auth_mounts` (`namespace_id`,`path`);--> statement-breakpoint
CREATE TABLE `roles` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`door` text NOT NULL,
	`name` text NOT NULL,
	`config` text NOT NULL,
	`role_id` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `roles_name` ON `roles` (`namespace_id`,`door`,`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `roles_role_id` ON `roles` (`role_id`);--> statement-breakpoint
CREATE TABLE `secret_ids` (
	`accessor` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`role` text NOT NULL,
	`digest` text NOT NULL,
	`meta` text NOT NULL,
	`cidrs` text NOT NULL,
	`token_cidrs` text NOT NULL,
	`num_uses` integer NOT NULL,
	`ttl` integer NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `secret_ids_digest` ON `secret_ids` (`role`,`digest`);--> statement-breakpoint
CREATE INDEX `secret_ids_expiry` ON `secret_ids` (`expires_at`);--> statement-breakpoint
CREATE TABLE `signing_keys` (
	`kid` text PRIMARY KEY NOT NULL,
	`algorithm` text NOT NULL,
	`public_jwk` text NOT NULL,
	`box` blob NOT NULL,
	`created_at` integer NOT NULL,
	`retired_at` integer
);
--> statement-breakpoint
CREATE TABLE `tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`accessor` text NOT NULL,
	`parent_id` text,
	`type` text NOT NULL,
	`display_name` text NOT NULL,
	`policies` text NOT NULL,
	`meta` text NOT NULL,
	`path` text NOT NULL,
	`role` text NOT NULL,
	`renewable` integer NOT NULL,
	`creation_ttl` integer NOT NULL,
	`explicit_max_ttl` integer NOT NULL,
	`period` integer NOT NULL,
	`num_uses` integer NOT NULL,
	`bound_cidrs` text NOT NULL,
	`created_at` integer NOT NULL,
	`renewed_at` integer,
	`expires_at` integer,
	`outer_bound` integer NOT NULL,
	`digest` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_accessor` ON `tokens` (`accessor`);--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_digest` ON `tokens` (`digest`);--> statement-breakpoint
CREATE INDEX `tokens_parent` ON `tokens` (`parent_id`);--> statement-breakpoint
CREATE INDEX `tokens_namespace` ON `tokens` (`namespace_id`);--> statement-breakpoint
CREATE INDEX `tokens_expiry` ON `tokens` (`expires_at`);--> statement-breakpoint
CREATE TABLE `wrapped` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`accessor` text NOT NULL,
	`creation_path` text NOT NULL,
	`box` blob NOT NULL,
	`ttl` integer NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `wrapped_expiry` ON `wrapped` (`expires_at`);--> statement-breakpoint
CREATE TABLE `copies` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`mount_id` text NOT NULL,
	`key_id` text,
	`kms_id` text,
	`collection` text NOT NULL,
	`remote_name` text NOT NULL,
	`protection` text NOT NULL,
	`purposes` text NOT NULL,
	`options` text NOT NULL,
	`desired` text NOT NULL,
	`generation` integer NOT NULL,
	`seen_generation` integer NOT NULL,
	`state` text NOT NULL,
	`reason` text,
	`attempts` integer NOT NULL,
	`next_attempt_at` integer NOT NULL,
	`distributed_at` integer NOT NULL,
	`settings_box` blob,
	`delete_sent_at` integer,
	`lease_owner` text,
	`lease_until` integer NOT NULL,
	`fence` integer NOT NULL,
	`repair` text DEFAULT 'report' NOT NULL,
	`drift` text DEFAULT '[]' NOT NULL,
	`next_look_at` integer DEFAULT 0 NOT NULL,
	`looked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `copies_pair` ON `copies` (`key_id`,`kms_id`);--> statement-breakpoint
CREATE INDEX `copies_kms` ON `copies` (`kms_id`);--> statement-breakpoint
CREATE INDEX `copies_mount` ON `copies` (`mount_id`);--> statement-breakpoint
CREATE INDEX `copies_due` ON `copies` (`next_attempt_at`) WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX `copies_look` ON `copies` (`collection`,`next_look_at`) WHERE state <> 'pending' AND desired = 'present';--> statement-breakpoint
CREATE TABLE `copy_versions` (
	`copy_id` text NOT NULL,
	`version` integer NOT NULL,
	`namespace_id` text NOT NULL,
	`import_id` text NOT NULL,
	`sent_at` integer,
	`remote_version` text,
	`seen_at` integer,
	`enabled` integer,
	PRIMARY KEY(`copy_id`, `version`)
);
--> statement-breakpoint
CREATE TABLE `operations` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`mount_id` text NOT NULL,
	`copy_id` text NOT NULL,
	`generation` integer NOT NULL,
	`kind` text NOT NULL,
	`state` text NOT NULL,
	`reason` text,
	`successor` text,
	`created_at` integer NOT NULL,
	`finished_at` integer
);
--> statement-breakpoint
CREATE INDEX `operations_copy` ON `operations` (`copy_id`,`generation`);--> statement-breakpoint
CREATE INDEX `operations_namespace` ON `operations` (`namespace_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `operations_mount` ON `operations` (`mount_id`,`id`);--> statement-breakpoint
CREATE INDEX `operations_finished` ON `operations` (`finished_at`);--> statement-breakpoint
CREATE TABLE `remote_names` (
	`collection` text NOT NULL,
	`name` text NOT NULL,
	`holder` text NOT NULL,
	PRIMARY KEY(`collection`, `name`)
);
--> statement-breakpoint
CREATE INDEX `remote_names_holder` ON `remote_names` (`holder`);--> statement-breakpoint
CREATE TABLE `audit_heads` (
	`sink` text NOT NULL,
	`run` text NOT NULL,
	`sequence` integer NOT NULL,
	`mac` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`sink`, `run`)
);
--> statement-breakpoint
CREATE TABLE `data_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`root_id` text NOT NULL,
	`box` blob NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `data_keys_namespace` ON `data_keys` (`namespace_id`,`created_at`);--> statement-breakpoint
CREATE TABLE `idempotent_requests` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`owner` text,
	`box` blob NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `idempotent_requests_expiry` ON `idempotent_requests` (`expires_at`);--> statement-breakpoint
CREATE INDEX `idempotent_requests_namespace` ON `idempotent_requests` (`namespace_id`);--> statement-breakpoint
CREATE TABLE `instance_secrets` (
	`name` text PRIMARY KEY NOT NULL,
	`box` blob NOT NULL
);
--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `mounts` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`path` text NOT NULL,
	`type` text NOT NULL,
	`accessor` text NOT NULL,
	`description` text NOT NULL,
	`config` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `mounts_path` ON `mounts` (`namespace_id`,`path`);--> statement-breakpoint
CREATE TABLE `namespaces` (
	`id` text PRIMARY KEY NOT NULL,
	`parent_id` text,
	`path` text NOT NULL,
	`custom_metadata` text NOT NULL,
	`created_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `namespaces_path` ON `namespaces` (`path`) WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX `namespaces_parent` ON `namespaces` (`parent_id`);--> statement-breakpoint
CREATE TABLE `policies` (
	`namespace_id` text NOT NULL,
	`name` text NOT NULL,
	`rules` text NOT NULL,
	PRIMARY KEY(`namespace_id`, `name`)
);
--> statement-breakpoint
CREATE TABLE `rate_limits` (
	`namespace_id` text NOT NULL,
	`name` text NOT NULL,
	`path` text NOT NULL,
	`rate` real NOT NULL,
	`interval` integer NOT NULL,
	`block_interval` integer NOT NULL,
	`role` text NOT NULL,
	PRIMARY KEY(`namespace_id`, `name`)
);
--> statement-breakpoint
CREATE TABLE `usage` (
	`namespace_id` text NOT NULL,
	`kind` text NOT NULL,
	`used` integer NOT NULL,
	PRIMARY KEY(`namespace_id`, `kind`)
);
--> statement-breakpoint
CREATE TABLE `key_versions` (
	`key_id` text NOT NULL,
	`version` integer NOT NULL,
	`namespace_id` text NOT NULL,
	`public_key` text,
	`box` blob NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`key_id`, `version`)
);
--> statement-breakpoint
CREATE TABLE `keys` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`mount_id` text NOT NULL,
	`name` text NOT NULL,
	`type` text NOT NULL,
	`latest_version` integer NOT NULL,
	`min_enabled_version` integer NOT NULL,
	`deletion_allowed` integer NOT NULL,
	`replica_regions` text,
	`created_at` integer NOT NULL,
	`auto_rotate_period` integer DEFAULT 0 NOT NULL,
	`next_rotation_at` integer,
	`max_enabled_versions` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `keys_name` ON `keys` (`mount_id`,`name`);--> statement-breakpoint
CREATE INDEX `keys_next_rotation` ON `keys` (`next_rotation_at`) WHERE next_rotation_at IS NOT NULL;--> statement-breakpoint
CREATE TABLE `kms` (
	`id` text PRIMARY KEY NOT NULL,
	`namespace_id` text NOT NULL,
	`mount_id` text NOT NULL,
	`name` text NOT NULL,
	`provider` text NOT NULL,
	`key_collection` text NOT NULL,
	`settings_box` blob NOT NULL,
	`credentials_generation` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `kms_name` ON `kms` (`mount_id`,`name`);--> statement-breakpoint
CREATE TABLE `wrapping_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`collection` text NOT NULL,
	`name` text NOT NULL,
	`state` text NOT NULL,
	`key_id` text,
	`fingerprint` text,
	`reason` text,
	`attestation` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `wrapping_keys_current` ON `wrapping_keys` (`collection`) WHERE state <> 'retired';