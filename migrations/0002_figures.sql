CREATE INDEX `copies_drifted` ON `copies` (`drift`) WHERE drift <> '[]';--> statement-breakpoint
CREATE INDEX `operations_pending` ON `operations` (`kind`) WHERE state = 'pending';