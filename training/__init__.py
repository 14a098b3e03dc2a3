"""Fine-tuning of the answering model: LoRA and QLoRA on T4-sized hardware."""
